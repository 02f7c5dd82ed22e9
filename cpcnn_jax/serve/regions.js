// Counts inside polygons, by the definition of regions.py.

// Counts the people inside a polygon, with corners in pixels of an image of this size. A
// pixel belongs to the polygon if its center lies inside, by the even-odd rule.
function countInside({ width, height, values }, corners, size) {
  const scaled = corners.map(([x, y]) => [(x * width) / size.width, (y * height) / size.height]);
  let people = 0;
  for (let row = 0; row < height; row += 1) {
    const ends = crossings(scaled, row + 0.5).map((x) => Math.ceil(x - 0.5));
    for (let i = 0; i < ends.length; i += 2) {
      for (let x = ends[i]; x < ends[i + 1]; x += 1) people += values[row * width + x];
    }
  }
  return people;
}

// Finds where the sides of a polygon cross a horizontal line, from left to right.
function crossings(corners, y) {
  const places = [];
  corners.forEach(([x0, y0], i) => {
    const [x1, y1] = corners[(i + 1) % corners.length];
    if ((y0 <= y) !== (y1 <= y)) places.push(x0 + ((y - y0) / (y1 - y0)) * (x1 - x0));
  });
  return places.sort((a, b) => a - b);
}
