"""Virtual hosts of httpd as sites of Portico."""
