"""Networks of the published systems, as torch modules."""
