"""The members of a saved model, of which none is larger than the file."""

from zipfile import ZIP_STORED


def read_member(file, name, size):
    """Read a member of an open zip file that is stored as it is.

    Parameters
    ----------
    file : ZipFile
        The file.
    name : str
        The member.
    size : int
        The bytes of the whole file.

    Returns
    -------
    bytes
        What the member holds.
    """
    member = file.getinfo(name)
    if member.compress_type != ZIP_STORED or member.file_size != member.compress_size:
        raise ValueError(f"{name} is packed, which save_model never does")
    if member.file_size > size:
        raise ValueError(
            f"{name} claims {member.file_size} bytes, and the file has {size}"
        )
    return file.read(member)
