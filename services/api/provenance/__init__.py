"""Whether this installation has drawn a picture: what each layer of provenance says about a file.

No route here shows anything of another project's pictures but that they exist.
"""
