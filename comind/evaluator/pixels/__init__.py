"""Images in pairs, where a submission has a row a pixel: the ready split and its checks."""
