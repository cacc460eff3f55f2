"""Tasks and cases on disk: recognising, importing, checking and dividing them."""
