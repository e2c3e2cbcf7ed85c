"""The words of the project as plain data; everything else speaks in them."""
