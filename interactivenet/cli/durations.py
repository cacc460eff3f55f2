"""Times as people say them."""


def duration(seconds: float) -> str:
    """Write a time as '45 s', '12 min' or '3 h 20 min'."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
