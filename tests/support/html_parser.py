"""HTML parser for tests, based on the standard library."""

from html.parser import HTMLParser


class Reader(HTMLParser):
    """The elements and the text of an HTML document."""

    def __init__(self, markup):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))

    def handle_data(self, data):
        self.text += data
