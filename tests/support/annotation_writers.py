"""Writers of random head points in each annotation format and its dialects."""

import csv
import io
import json
from urllib import parse
from xml.sax import saxutils

import numpy as np
from PIL import Image

SIZE = (120, 90)  # (width, height) of every image
LABELS = ("head", "person", "Kopf; oben", "头")


def draw_truth(rng, names):
    """{name: points `[N, 2]`}; the points are quarters of pixels inside the image."""
    number = len(names)
    return {
        name: rng.integers(0, (4 * SIZE[0], 4 * SIZE[1]), (count, 2)) / 4
        for name, count in zip(names, rng.integers(0, 5, number), strict=True)
    }


def _pick(rng, *choices):
    return choices[rng.integers(len(choices))]


def write_csv(rng, truth):
    """A table of spreadsheets; without a column image if it has one image."""
    delimiter = _pick(rng, ",", ";", "\t")
    decimal = "," if delimiter != "," and rng.random() < 0.5 else "."
    image = _pick(rng, "image", "filename", "File_Name", "image_path", "path")
    columns = [image, *rng.permutation(["x", "Y", "who", "label"]).tolist()]
    if len(truth) == 1 and rng.random() < 0.5:
        columns = columns[1:]
    text = io.StringIO(newline="")
    quoting = _pick(rng, csv.QUOTE_ALL, csv.QUOTE_MINIMAL)
    ending = _pick(rng, "\n", "\r\n")
    table = csv.writer(
        text, delimiter=delimiter, quoting=quoting, lineterminator=ending
    )
    text.write(_pick(rng, "", "\n", f"sep={delimiter}\r\n"))
    table.writerow(columns)
    for name, points in truth.items():
        for x, y in points:
            row = {
                "x": x,
                "Y": y,
                image: name,
                "who": "A",
                "label": _pick(rng, *LABELS),
            }
            row |= {key: str(row[key]).replace(".", decimal) for key in ("x", "Y")}
            table.writerow([row[column] for column in columns])
        if not len(points) and image in columns:
            table.writerow([name, *[""] * 4])
        if rng.random() < 0.2:
            text.write(delimiter * 4 + ending)
    encoding = _pick(rng, "utf-8", "utf-8-sig", "utf-16")
    return text.getvalue().encode(encoding), "csv"


def _shape(rng, x, y):
    """Half of the sides of a shape, so that its center is exact."""
    return rng.integers(0, 40, 2) / 4


def write_labelme(rng, truth):
    ((name, points),) = truth.items()
    shapes = []
    for x, y in points.tolist():
        a, b = _shape(rng, x, y)
        kind, corners = _pick(
            rng,
            ("point", [[x, y]]),
            ("circle", [[x, y], [x + a, y + b]]),
            ("rectangle", [[x + a, y - b], [x - a, y + b]]),
            (
                "rectangle",
                [[x - a, y - b], [x + a, y - b], [x + a, y + b], [x - a, y + b]],
            ),
        )
        shapes.append(
            {"label": _pick(rng, *LABELS), "points": corners, "shape_type": kind}
        )
    tree = {"shapes": shapes, "imagePath": _pick(rng, name, name.replace("/", "\\"))}
    size = _pick(rng, SIZE, (None, None))
    tree |= {"imageWidth": size[0], "imageHeight": size[1], "imageData": None}
    return _dump(rng, tree), "json"


def write_coco(rng, truth):
    ids = {
        name: _pick(rng, n, float(n), str(n)) for n, name in enumerate(truth, start=7)
    }
    kinds = [{"id": 1, "name": "person"}, {"id": 2, "name": "b"}]
    kinds[1]["keypoints"] = ["foot", "nose", "left_eye"]
    annotations = []
    for name, points in truth.items():
        for x, y in points.tolist():
            a, b = _shape(rng, x, y)
            box = [x - a, y - b, 2 * a, 2 * b]
            skeleton = [0, 0, 2, x - a, y + b, 2, x + a, y - b, 1]
            head = _pick(
                rng,
                {"bbox": box},
                {"bbox": [str(side) for side in box], "keypoints": None},
                {"keypoints": [x, y, 2], "bbox": box},
                {"keypoints": skeleton, "category_id": "2"},
                {"keypoints": [0, 0, 0] * 3, "category_id": 2, "bbox": box},
            )
            key = _pick(rng, ids[name], str(int(float(ids[name]))))
            annotations.append({"image_id": key, "category_id": 1, "id": 0} | head)
    rng.shuffle(annotations)
    size = {"width": SIZE[0], "height": _pick(rng, SIZE[1], str(SIZE[1]))}
    images = [
        {"id": ids[name], "file_name": name} | _pick(rng, size, {}) for name in truth
    ]
    tree = {"images": images, "annotations": annotations, "categories": kinds}
    return _dump(rng, tree), "json"


def write_via(rng, truth):
    files = {}
    for name, points in truth.items():
        regions = []
        for x, y in points.tolist():
            a, b = _shape(rng, x, y)
            shape = _pick(
                rng,
                {"name": "point", "cx": x, "cy": y},
                {"name": "circle", "cx": x, "cy": y, "r": a},
                {"name": "ellipse", "cx": x, "cy": y, "rx": a, "ry": b},
                {
                    "name": "rect",
                    "x": x - a,
                    "y": y - b,
                    "width": 2 * a,
                    "height": 2 * b,
                },
            )
            label = _pick(rng, {}, {"class": "head"}, {"type": {"head": True}})
            regions.append({"shape_attributes": shape, "region_attributes": label})
        if rng.random() < 0.3:  # VIA 1
            regions = {str(n): region for n, region in enumerate(regions)}
        files[f"{name}{rng.integers(999)}"] = {"filename": name, "regions": regions}
    project = {"_via_settings": {}, "_via_img_metadata": files, "_via_attributes": {}}
    return _dump(rng, _pick(rng, files, project)), "json"


def write_label_studio(rng, truth):
    tasks = []
    for name, points in truth.items():
        result = [_label_studio_shape(rng, x, y) for x, y in points.tolist()]
        result += _pick(rng, [], [{"type": "choices", "value": {"choices": ["a"]}}])
        done = {"id": 1, "was_cancelled": False, "result": result}
        skipped = {"id": 2, "was_cancelled": True, "result": [{"type": "polygon"}]}
        quoted = parse.quote(name)
        address = _pick(rng, quoted, f"/data/local-files/?d={quoted}")
        data = _pick(rng, {"image": address}, {"n": 1, "photo": address})
        annotations = _pick(rng, [done], [skipped, done])
        tasks.append({"id": 1, "data": data, "annotations": annotations})
    return _dump(rng, tasks), "json"


def _label_studio_shape(rng, x, y):
    a, b = _shape(rng, x, y)
    percent = 100 / np.array(SIZE)
    turn = np.radians(angle := float(_pick(rng, 0, 30, 90, 211.5)))
    corner = (
        x - a * np.cos(turn) + b * np.sin(turn),
        y - a * np.sin(turn) - b * np.cos(turn),
    )
    kind, place, sides = _pick(
        rng,
        ("keypoint", (x, y), {"width": 0.3}),
        ("ellipse", (x, y), {"radiusX": 1, "radiusY": 2, "rotation": angle}),
        ("rectangle", corner, {"rotation": angle}),
    )
    if kind == "rectangle":
        sides |= {"width": 2 * a * percent[0], "height": 2 * b * percent[1]}
    value = {"x": place[0] * percent[0], "y": place[1] * percent[1], **sides}
    if rng.random() < 0.5:
        value[f"{kind}labels"] = ["head"]
        kind += "labels"
    width, height = SIZE
    size = {"original_width": width, "original_height": height, "image_rotation": 0}
    return {"type": kind, "value": value, **size}


def write_cvat(rng, truth):
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations><version>1.1"]
    lines.append("</version><meta><task><name>a</name></task></meta>")
    for n, (name, points) in enumerate(truth.items()):
        quoted = saxutils.quoteattr(name)
        lines.append(f'<image id="{n}" name={quoted} width="120" height="90">')
        lines += [_cvat_shape(rng, x, y) for x, y in points.tolist()]
        if len(points) > 1 and rng.random() < 0.5:  # one shape of several points
            lines[-len(points) :] = [
                '<points label="head" points="{}"/>'.format(
                    ";".join(f"{x:.2f},{y:.2f}" for x, y in points)
                )
            ]
        lines.append(_pick(rng, "", '<tag label="day"/>') + "</image>")
    return "\n".join([*lines, "</annotations>"]).encode(), "xml"


def _cvat_shape(rng, x, y):
    a, b = _shape(rng, x, y)
    box = f'xtl="{x - a}" ytl="{y - b}" xbr="{x + a}" ybr="{y + b}"'
    return _pick(
        rng,
        f'<points label="head" occluded="0" points="{x},{y}"></points>',
        f'<box label="head" {box}><attribute name="a">b</attribute></box>',
        f'<ellipse label="head" cx="{x}" cy="{y}" rx="{a}" ry="{b}"/>',
    )


def write_dot_map(rng, truth):
    """A dot map; the points are moved to whole pixels that do not touch."""
    ((name, points),) = truth.items()
    truth[name] = points = np.unique(np.floor(points / 3) * 3, axis=0)
    mode, color = _pick(
        rng,
        ("1", 1),
        ("L", 7),
        ("I;16", 300),
        ("RGB", (0, 0, 9)),
        ("RGBA", (9, 0, 0, 255)),
    )
    image = Image.new(mode, SIZE)
    for x, y in points.astype(int).tolist():
        image.putpixel((x, y), color)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue(), "png"


def _dump(rng, tree):
    text = json.dumps(
        tree, ensure_ascii=bool(rng.integers(2)), indent=_pick(rng, None, 2)
    )
    return text.encode(_pick(rng, "utf-8", "utf-8-sig"))


OF_ONE_IMAGE = (write_labelme, write_dot_map)
OF_MANY = (write_csv, write_coco, write_via, write_label_studio, write_cvat)
