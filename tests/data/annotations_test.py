"""Annotation files in the tools' formats with hand-computed heads; invalid files."""

import io
import json
from pathlib import PurePath

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cpcnn_jax.data import annotations
from cpcnn_jax.data.annotations import heads as heads_lib


def read(tmp_path, content, name="file"):
    path = tmp_path / name
    if isinstance(content, dict | list):
        content = json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return annotations.read(path)


def read_error(tmp_path, content, name="file"):
    with pytest.raises(ValueError) as error:
        read(tmp_path, content, name)
    text = str(error.value)
    assert text.startswith(str(tmp_path / name)) and text.count("\n") == 0
    return text.removeprefix(str(tmp_path / name))


def check(heads, expected):
    """Compares names, points and sizes with {name without folder: (points, size)}."""
    heads = {PurePath(name).stem: value for name, value in heads.items()}
    assert heads.keys() == expected.keys()
    for name, (points, size) in expected.items():
        assert heads[name].points.dtype == np.float32
        assert heads[name].points.shape == (len(points), 2)
        np.testing.assert_array_equal(heads[name].points.tolist(), points)
        assert heads[name].size == size


def labelme(*shapes, **fields):
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": [
            {"label": "head", "points": points, "shape_type": kind, "group_id": None}
            for kind, points in shapes
        ],
        "imagePath": "..\\photos\\IMG_1.jpg",
        "imageData": None,
        "imageHeight": 480,
        "imageWidth": 640,
        **fields,
    }


def coco(annotations, keypoints=None, **image):
    category = {"id": 1, "name": "person"}
    if keypoints:
        category["keypoints"] = keypoints
    return {
        "images": [
            {"id": 7, "file_name": "a/IMG_1.jpg", "width": 640, "height": 480, **image},
            {"id": 8, "file_name": "IMG_2.png"},
        ],
        "annotations": [
            {"id": n, "image_id": 7, "category_id": 1, **annotation}
            for n, annotation in enumerate(annotations)
        ],
        "categories": [category],
    }


def via(*shapes, name="IMG_1.jpg"):
    regions = [{"shape_attributes": s, "region_attributes": {}} for s in shapes]
    return {
        f"{name}1234": {
            "filename": name,
            "size": 1234,
            "regions": regions,
            "file_attributes": {},
        }
    }


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><name>heads</name><labels><label><name>head</name></label></labels></task>
    <dumped>2024-05-01 10:00:00+00:00</dumped></meta>
  <image id="0" name="day1/IMG_1.jpg" width="640" height="480">{shapes}</image>
  <image id="1" name="IMG_2.jpg" width="320" height="240">
    <tag label="empty" source="manual"></tag>
  </image>
</annotations>
"""
POINTS = (
    '<points label="head" source="manual" occluded="0" points="1.50,2.25;30.00,40.00" '
    'z_order="0"><attribute name="a">b</attribute></points>'
)
BOX = '<box label="head" occluded="0" xtl="10" ytl="20" xbr="13" ybr="30" z_order="0"/>'
ELLIPSE = '<ellipse label="head" occluded="0" cx="5.5" cy="6" rx="2" ry="3"/>'


def test_csv_of_several_images(tmp_path):
    text = "who,y,image,x\nA,2.5,IMG_1.jpg,1\nB,4,sub/IMG_2.png,3\nA,6,IMG_1.jpg,5\n"
    expected = {"IMG_1": ([[1, 2.5], [5, 6]], None), "IMG_2": ([[3, 4]], None)}
    check(read(tmp_path, text), expected)


def test_csv_of_an_image_without_heads(tmp_path):
    check(read(tmp_path, "image,x,y\nIMG_1.jpg,,\n"), {"IMG_1": ([], None)})
    check(read(tmp_path, "x,y\n", "IMG_1.csv"), {"IMG_1": ([], None)})


def test_csv_of_one_image_has_its_name(tmp_path):
    heads = read(tmp_path, b"\xef\xbb\xbfx,y\r\n1,2\r\n", "IMG.1.csv")
    assert heads["./IMG.1"].points.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "it has no columns x and y; its first line is ''; supported"),
        ("1,2\n3,4\n", "x and y; its first line is '1,2'; supported are CSV"),
        ("x|y\n1|2\n", "it has no columns x and y; its first line is 'x|y'"),
        (b"\x00\xff\xfe\x80" * 9, "line 1 is not UTF-8: save the file as UTF-8"),
        ("x,y\n1,2\n3\n", "line 3: x='3', y='' are not two numbers"),
        ("x,y\n12,5,30\n", "line 2: 3 values for 2 columns: ['12', '5', '30']"),
        ("\nx,y\n1;5\n", "line 3: x='1;5', y='' are not two numbers"),
        ("x,y,X\n1,2,3\n", "line 1: two of the columns have the name x"),
        ("file,path,x,y\na,b,1,2\n", "both file and path may name the image"),
        (
            "photo,x,y\na.jpg,1,2\n",
            "line 2: a.jpg in the column 'photo': name the column image",
        ),
        ("image,x,y\n,1,2\n", "line 2: the image of these x and y has no name"),
        ("image,x,y\na.jpg,1,two\n", "line 2: x='1', y='two' are not two numbers"),
        ("image,x,y\na.jpg,1,\n", "line 2: x='1', y='' are not two numbers"),
        ("image,x,y\na/b.jpg,1,2\na\\b.jpg,1,2\n", "it lists two images named a/b"),
        ("x,y\n" + '"' + "1" * 200_000, "line 2: field larger than field limit"),
    ],
)
def test_invalid_csv_raises_value_error(text, reason, tmp_path):
    assert reason in read_error(tmp_path, text)


def test_labelme_shapes(tmp_path):
    tree = labelme(
        ("point", [[1.5, 2]]),
        ("rectangle", [[30, 40], [10, 20]]),
        ("rectangle", [[0, 0], [4, 0], [4, 6], [0, 6]]),
        ("circle", [[7, 8], [9, 8]]),
    )
    points = [[1.5, 2], [20, 30], [2, 3], [7, 8]]
    check(read(tmp_path, tree), {"IMG_1": (points, (640, 480))})
    tree = labelme(imageHeight=None)
    check(read(tmp_path, tree), {"IMG_1": ([], None)})


@pytest.mark.parametrize("kind", ["polygon", "line", "linestrip", "mask", None])
def test_labelme_shape_without_center_raises_value_error(kind, tmp_path):
    tree = labelme(("point", [[1, 2]]), (kind, [[1, 2], [3, 4], [5, 6]]))
    expected = f": shape 2 is a {kind} of 3 points; heads are points, rectangles or"
    assert read_error(tmp_path, tree).startswith(expected)


def test_coco_box_centers(tmp_path):
    tree = coco([{"bbox": [10, 20, 4, 7]}, {"bbox": [0, 0, 1, 1], "keypoints": []}])
    points = [[12, 23.5], [0.5, 0.5]]
    check(read(tmp_path, tree), {"IMG_1": (points, (640, 480)), "IMG_2": ([], None)})


@pytest.mark.parametrize(
    "names, keypoints, head",
    [
        (["point"], [5, 6, 2], [5, 6]),  # one keypoint of any name
        (None, [5, 6, 1], [5, 6]),
        (["foot", "head"], [1, 1, 2, 8, 9, 2], [8, 9]),
        (["nose", "left_eye", "hip"], [2, 2, 2, 4, 8, 1, 90, 90, 2], [3, 5]),
        (["nose", "left_eye", "hip"], [2, 2, 2, 0, 0, 0, 90, 90, 2], [2, 2]),
        (["nose", "hip"], [0, 0, 0, 90, 90, 2], [12, 23.5]),  # not labeled: the box
        (["a", "b"], [2, 2, 2, 4, 8, 1], [3, 5]),
    ],
)
def test_coco_head_is_the_mean_of_its_keypoints(names, keypoints, head, tmp_path):
    tree = coco([{"bbox": [10, 20, 4, 7], "keypoints": keypoints}], names)
    check(read(tmp_path, tree), {"IMG_1": ([head], (640, 480)), "IMG_2": ([], None)})


@pytest.mark.parametrize(
    "annotation, reason",
    [
        ({"bbox": [1, 2, 3, 4], "iscrowd": 1}, "annotation 0 is a group (iscrowd)"),
        ({"image_id": 99}, "annotation 0 is of no image listed: 99"),
        ({"segmentation": []}, "annotation 0 has no labeled keypoint and no bbox"),
        ({"keypoints": [1, 2]}, "cannot reshape array of size 2"),
    ],
)
def test_coco_annotation_without_head_raises_value_error(annotation, reason, tmp_path):
    assert reason in read_error(tmp_path, coco([annotation]))


def test_two_coco_images_of_one_name_raise_value_error(tmp_path):
    tree = coco([], file_name="IMG_2.png")
    expected = "two of its images have the file_name IMG_2.png"
    assert expected in read_error(tmp_path, tree)


def test_via_shapes(tmp_path):
    shapes = (
        {"name": "point", "cx": 1, "cy": 2},
        {"name": "circle", "cx": 3.5, "cy": 4, "r": 9},
        {"name": "ellipse", "cx": 5, "cy": 6, "rx": 1, "ry": 2, "theta": 0},
        {"name": "rect", "x": 10, "y": 20, "width": 4, "height": 7},
    )
    points = [[1, 2], [3.5, 4], [5, 6], [12, 23.5]]
    both = via(*shapes) | via(name="IMG_2.jpg")
    expected = {"IMG_1": (points, None), "IMG_2": ([], None)}
    check(read(tmp_path, both), expected)
    project = {"_via_settings": {}, "_via_img_metadata": both, "_via_attributes": {}}
    check(read(tmp_path, project), expected)
    version_1 = via(*shapes)
    file = version_1["IMG_1.jpg1234"]
    file["regions"] = {str(n): region for n, region in enumerate(file["regions"])}
    check(read(tmp_path, version_1), {"IMG_1": (points, None)})


def test_via_polygon_and_repeated_file_raise_value_error(tmp_path):
    shape = {"name": "polygon", "all_points_x": [1, 2, 3], "all_points_y": [1, 2, 1]}
    expected = (
        ": IMG_1.jpg has a polygon; heads are points, circles, ellipses or rects."
    )
    assert read_error(tmp_path, via(shape)) == expected
    twice = {"a": via()["IMG_1.jpg1234"], "b": via()["IMG_1.jpg1234"]}
    assert "it lists two files named IMG_1.jpg" in read_error(tmp_path, twice)


def test_cvat_shapes(tmp_path):
    heads = read(tmp_path, CVAT.format(shapes=POINTS + BOX + ELLIPSE))
    points = [[1.5, 2.25], [30, 40], [11.5, 25], [5.5, 6]]
    check(heads, {"IMG_1": (points, (640, 480)), "IMG_2": ([], (320, 240))})


@pytest.mark.parametrize("shape", ["polygon", "polyline", "mask", "cuboid", "skeleton"])
def test_cvat_shape_without_center_raises_value_error(shape, tmp_path):
    text = CVAT.format(shapes=f'<{shape} label="head" points="1,2;3,4">{BOX}</{shape}>')
    expected = f": day1/IMG_1.jpg has a {shape}; heads are points, boxes or ellipses"
    assert read_error(tmp_path, text).startswith(expected)


@pytest.mark.parametrize(
    "text, reason",
    [
        (CVAT.format(shapes=POINTS)[:-20], "it is not valid XML ("),
        ("<annotations></annotations>", "this XML holds no <image>; supported are"),
        ("<html><image/></html>", "this XML holds no <image>; supported are"),
        ("<annotations><track/></annotations>", "export 'CVAT for images'"),
        (CVAT.format(shapes="").replace("IMG_2", "day1/IMG_1"), "have the name day1"),
        (CVAT.format(shapes=POINTS).replace("1.50,2.25", "1.50"), "inhomogeneous"),
        (CVAT.format(shapes="").replace("width=", "w="), "damaged (KeyError: 'width"),
    ],
)
def test_invalid_xml_raises_value_error(text, reason, tmp_path):
    assert reason in read_error(tmp_path, text)


def test_xml_with_a_doctype_raises_before_entities_are_expanded(tmp_path):
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    laughs = f'<!DOCTYPE annotations [<!ENTITY l0 "ha">{laughs}]>'
    fetch = f'<!DOCTYPE a [<!ENTITY f SYSTEM "file://{tmp_path}/secret">]>'
    (tmp_path / "secret").write_text("secret")
    for doctype, entity in ((laughs, "&l11;"), (fetch, "&f;"), ("<!DOCTYPE a>", "")):
        text = CVAT.format(shapes="").replace("?>", f"?>{doctype}")
        text = text.replace("<name>heads", f"<name>{entity}")
        expected = ": its XML has a DOCTYPE, which is not supported."
        assert read_error(tmp_path, text) == expected


def png(image):
    data = io.BytesIO()
    image.save(data, format="PNG")
    return data.getvalue()


def dots(mode, color):
    """Two single pixels, two that touch at a corner, and a disc."""
    image = Image.new(mode, (64, 48))
    draw = ImageDraw.Draw(image)
    draw.point([(0, 0), (63, 47), (20, 10), (21, 11)], fill=color)
    draw.ellipse((36, 16, 44, 24), fill=color)
    return image


@pytest.mark.parametrize(
    "mode, color",
    [
        ("1", 1),
        ("L", 1),
        ("I;16", 1),
        ("RGB", (255, 0, 0)),
        ("RGBA", (0, 0, 9, 255)),
        ("P", 3),
    ],
)
def test_dot_map_points_are_the_centers_of_dots(mode, color, tmp_path):
    image = dots(mode, color)
    if mode == "P":
        image.putpalette([0, 0, 0, 9, 9, 9, 1, 1, 1, 0, 200, 0])
    heads = read(tmp_path, png(image), "IMG_1_dots.png")
    points = heads["./IMG_1"].points
    by_x = heads["./IMG_1"]._replace(points=points[np.argsort(points[:, 0])])
    expected = [[0, 0], [20.5, 10.5], [40, 20], [63, 47]]
    check({"IMG_1.png": by_x}, {"IMG_1": (expected, (64, 48))})


def test_empty_and_invalid_dot_maps(tmp_path):
    empty = png(Image.new("RGBA", (64, 48), (255, 255, 255, 0)))
    for name in ("a.1_dots.png", "a.1_dots.PNG"):
        assert read(tmp_path, empty, name)["./a.1"].points.shape == (0, 2)
    white = png(Image.new("L", (64, 48), 255))
    assert "more than half of it is not black" in read_error(tmp_path, white)
    text = read_error(tmp_path, white[:60])
    assert "is not a complete JPEG or PNG" in text and not text.endswith("..")


@pytest.mark.parametrize(
    "tree, reason",
    [
        ({"items": []}, "this JSON is of no supported tool; supported are CSV whose"),
        ([1, 2], "this JSON is of no supported tool"),
        ('{"shapes": [', "it is not valid JSON"),
        (labelme(("point", [[1, "a"]])), "could not convert string to float"),
        (labelme(("point", [[1, 2, 3]])), "cannot reshape"),
        (labelme(("point", [[10**400, 2]])), "damaged (OverflowError"),
        (labelme(imagePath=5), "damaged (TypeError"),
        (labelme() | {"shapes": [7]}, "damaged (AttributeError"),
        (coco([]) | {"images": [{}]}, "damaged (KeyError: 'id')"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_invalid_json_raises_value_error(tree, reason, tmp_path):
    assert reason in read_error(tmp_path, tree)


def test_coordinates_that_are_not_finite_are_kept(tmp_path):
    shape = '{"shape_type": "point", "points": [[NaN, 1e999]]}'
    heads = read(tmp_path, f'{{"shapes": [{shape}], "imagePath": "a.jpg"}}')
    np.testing.assert_array_equal(heads["./a.jpg"].points, [[np.nan, np.inf]])
    assert np.isinf(heads_lib.make_heads([(1e300, 1)]).points[0, 0])


def test_missing_file_is_named_in_the_error(tmp_path):
    with pytest.raises(ValueError, match=f"{tmp_path}/none is damaged .FileNotFound"):
        annotations.read(tmp_path / "none")


@pytest.mark.parametrize(
    "text",
    [
        "X,Y\n12.5,30\n",
        "x, y\n12.5, 30\n",
        '"x","y"\n"12.5","30"\n',
        "x;y\n12,5;30\n",
        "sep=;\r\nx;y\r\n12.5;30\r\n",
        "x\ty\n12,5\t30\n",
        "\tx\ty\n0\t12.5\t30\n",
        "\n\nx,y\n12.5,30\n,\n \n",
        "x,y\r12.5,30\r",
        "x,y\n12.5,30,\n",
        "FileName,x,y\nfile.jpg,12.5,30\n,,\n",
        "image_path;x;y;label\nfile.jpg;12,5;30;head\n",
        "x,y\n12.5,30\n".encode("utf-16"),
    ],
)
def test_tables_of_spreadsheets_are_read(text, tmp_path):
    check(read(tmp_path, text), {"file": ([[12.5, 30]], None)})


def test_table_in_latin_1_names_its_line(tmp_path):
    text = "image,x,y\na.jpg,1,2\ncaf\xe9.jpg,3,4\n".encode("latin-1")
    expected = ": line 3 is not UTF-8: save the file as UTF-8; supported are"
    assert read_error(tmp_path, text, "all.csv").startswith(expected)


@pytest.mark.parametrize("ids", [(7, "7"), (7.0, 7), ("7", 7.0)])
def test_coco_ids_are_numbers_or_text(ids, tmp_path):
    image, category = ids
    box = {"bbox": ["10", 20, 4, 7], "keypoints": None, "iscrowd": "0"}
    tree = coco([box | {"image_id": image, "category_id": category}], width="640")
    tree["categories"][0] |= {"id": category, "keypoints": None}
    heads = read(tmp_path, tree)
    check(heads, {"IMG_1": ([[12, 23.5]], (640, 480)), "IMG_2": ([], None)})
    assert heads["a/IMG_1.jpg"].labels == ("person",)


@pytest.mark.parametrize("categories", [None, []])
def test_coco_without_categories(categories, tmp_path):
    tree = coco([{"bbox": [10, 20, 4, 7]}, {"keypoints": [1, 2, 2], "bbox": None}])
    tree["categories"] = categories
    points = [[12, 23.5], [1, 2]]
    check(read(tmp_path, tree), {"IMG_1": (points, (640, 480)), "IMG_2": ([], None)})


@pytest.mark.parametrize("second", [7, 7.0, "7"])
def test_one_coco_id_of_two_images_raises_value_error(second, tmp_path):
    tree = coco([])
    tree["images"][1]["id"] = second
    assert read_error(tmp_path, tree) == ": two of its images have the id 7."


@pytest.mark.parametrize("value", [None, True, [7]])
def test_coco_image_without_an_id_raises_value_error(value, tmp_path):
    assert "is neither a number nor text" in read_error(tmp_path, coco([], id=value))


def test_two_coco_categories_of_one_id_raise_value_error(tmp_path):
    tree = coco([])
    tree["categories"] *= 2
    assert read_error(tmp_path, tree) == ": two of its categories have the id 1."


def test_equal_keys_of_json_raise_value_error(tmp_path):
    one = json.dumps(via()["IMG_1.jpg1234"])
    expected = ": it is not valid JSON (the key 'a' stands twice)."
    assert expected in read_error(tmp_path, f'{{"a": {one}, "a": {one}}}')


def test_each_reader_states_the_pixels_of_its_tool(tmp_path):
    point = {"name": "point", "cx": 1, "cy": 2}
    empty = png(Image.new("L", (64, 48)))
    for content, expected in (
        (labelme(("point", [[1, 2]])), True),
        ("x,y\n1,2\n", False),
        (coco([{"bbox": [1, 2, 3, 4]}]), None),
        (CVAT.format(shapes=POINTS), None),
        (via(point), None),
        (label_studio(), None),
        (empty, None),
    ):
        assert [*read(tmp_path, content).values()][0].upright is expected


def test_labels_of_heads(tmp_path):
    for content, expected in (
        (labelme(("point", [[1, 2]])), ("head",)),
        ("x,y,label\n1,2,face\n3,4,\n", ("face",)),
        (CVAT.format(shapes=POINTS + BOX), ("head", "head", "head")),
        (label_studio(), ("head", "face")),
    ):
        assert [*read(tmp_path, content).values()][0].labels == expected
    tree = via({"name": "point", "cx": 1, "cy": 2})
    tree["IMG_1.jpg1234"]["regions"][0]["region_attributes"] = {"class": "head"}
    assert read(tmp_path, tree)["IMG_1.jpg"].labels == ("head",)


def label_studio(image="/data/upload/3/1a2b3c4d-IMG_1.jpg", **fields):
    shared = {"original_width": 640, "original_height": 480, "image_rotation": 0}
    point = {"x": 25.0, "y": 50.0, "width": 0.2, "keypointlabels": ["head"]}
    box = {"x": 50, "y": 50, "width": 10, "height": 20, "rectanglelabels": ["face"]}
    result = [
        shared | {"type": "keypointlabels", "value": point},
        shared | {"type": "rectanglelabels", "value": box | {"rotation": 90}},
        {"type": "choices", "value": {"choices": ["sharp"]}},
    ]
    result[1] |= fields
    done = {"id": 1, "was_cancelled": False, "result": result}
    return [
        {"id": 1, "data": {"image": image}, "annotations": [done]},
        {
            "id": 2,
            "data": {"image": "IMG_2.jpg"},
            "annotations": [done | {"result": []}],
        },
        {"id": 3, "data": {"image": "IMG_3.jpg"}, "annotations": []},
    ]


@pytest.mark.parametrize(
    "address, name",
    [
        ("/data/upload/3/1a2b3c4d-IMG_1.jpg", "1a2b3c4d-IMG_1.jpg"),
        ("/data/upload/1a2b3c4d-IMG_1.jpg", "1a2b3c4d-IMG_1.jpg"),
        ("http://host:8080/data/upload/3/1a2b3c4d-IMG_1.jpg", "1a2b3c4d-IMG_1.jpg"),
        ("upload/3/1a2b3c4d-IMG%201.jpg", "1a2b3c4d-IMG 1.jpg"),
        ("/data/local-files/?d=upload/IMG_1.jpg", "upload/IMG_1.jpg"),
        ("/data/local-files/?d=cam1/IMG%201.jpg", "cam1/IMG 1.jpg"),
        ("s3://bucket/cam1/IMG_1.jpg", "/cam1/IMG_1.jpg"),
    ],
)
def test_label_studio_shapes(address, name, tmp_path):
    heads = read(tmp_path, label_studio(address))
    assert heads.keys() == {name, "IMG_2.jpg"} and heads[name].size == (640, 480)
    points = [[160, 240], [320 - 48, 240 + 32]]
    np.testing.assert_allclose(heads[name].points, points)
    assert heads["IMG_2.jpg"].points.shape == (0, 2)


def test_address_of_label_studio_has_any_name(tmp_path):
    tasks = label_studio()
    tasks[0]["data"] = {"id": "7", "photo": "/data/upload/1a2b3c4d-IMG_1.JPG"}
    assert "1a2b3c4d-IMG_1.JPG" in read(tmp_path, tasks)
    tasks[0]["data"]["other"] = "IMG_2.png"
    assert "one image is expected in the data of a" in read_error(tmp_path, tasks)
    tasks[0]["data"] = {"photo": "IMG_1"}
    assert "IMG_1" in read(tmp_path, tasks)
    for texts in ([], ["a", "b"]):
        tasks[0]["data"] = dict(zip("xy", texts, strict=False))
        text = f"expected in the data of a task, got {texts}"
        assert text in read_error(tmp_path, tasks)


def test_relation_of_label_studio_has_no_place(tmp_path):
    tasks = label_studio()
    result = tasks[0]["annotations"][0]["result"]
    result.append({"type": "relation", "from_id": "a", "to_id": "b"})
    assert len(read(tmp_path, tasks)["1a2b3c4d-IMG_1.jpg"].points) == 2


def test_invalid_label_studio_raises_value_error(tmp_path):
    polygon = label_studio(type="polygonlabels")
    assert "has a polygon; heads are key points" in read_error(tmp_path, polygon)
    rotated = label_studio(image_rotation=90)
    assert "was rotated in Label Studio" in read_error(tmp_path, rotated)
    tasks = label_studio()
    tasks[1]["annotations"] *= 2
    expected = "IMG_2.jpg has 2 annotations: export one of them"
    assert expected in read_error(tmp_path, tasks)
