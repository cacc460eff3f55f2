"""Draws docs/images/floors.svg: the packages, floor by floor.

``python docs/drawings/floors.py``. What is drawn is what import-linter checks (pyproject.toml).
"""

from pathlib import Path

OUTPUT = Path(__file__).resolve().parents[1] / "images" / "floors.svg"
#: from the roof down: the packages of a floor, and what the floor is for
FLOORS = (
    (("cli",), "commands: parse, call, print"),
    (("doctor", "grand_challenge", "viewer"), "what else faces the outside"),
    (("pipeline",), "stages as functions"),
    (("inference",), "segmenting with trained networks"),
    (("training", "evaluation", "legacy"), "making networks, measuring them, taking over old ones"),
    (("plotting",), "pictures"),
    (("models",), "networks, bundles, weights"),
    (("postprocessing",), "from probabilities to segmentations"),
    (("preprocessing",), "from scans to samples"),
    (("encoding",), "from points to maps"),
    (("planning",), "what is decided before training"),
    (("datasets",), "tasks and cases on disk"),
    (("prompts",), "what a clinician points at"),
    (("imaging",), "voxels and their place in the patient"),
    (("system",), "files, processes, machines: nothing medical"),
    (("errors",), "how something is refused"),
)
HEIGHT, GAP, LEFT, WIDTH, TEXT = 30, 6, 130, 400, 548
#: hue of the roof and of the ground
FIRST, LAST = 174, 214


def box(x, y, width, name, hue):
    """Return one package as SVG."""
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{HEIGHT}" rx="4"'
        f' fill="hsl({hue} 45% 90%)" stroke="hsl({hue} 45% 45%)"/>'
        f'<text x="{x + width / 2:g}" y="{y + 20}" text-anchor="middle" class="name">{name}</text>'
    )


def main():
    """Write the drawing."""
    rows = []
    for number, (packages, purpose) in enumerate(FLOORS):
        y = 12 + number * (HEIGHT + GAP)
        hue = round(FIRST + (LAST - FIRST) * number / (len(FLOORS) - 1))
        width = (WIDTH - GAP * (len(packages) - 1)) / len(packages)
        for place, name in enumerate(packages):
            rows.append(box(round(LEFT + place * (width + GAP), 1), y, round(width, 1), name, hue))
        rows.append(f'<text x="{TEXT}" y="{y + 20}" class="purpose">{purpose}</text>')
    bottom = 12 + len(FLOORS) * (HEIGHT + GAP) - GAP
    rows.append(
        f'<path d="M 100 16 V {bottom - 10}" class="arrow"/>'
        f'<path d="M 94 {bottom - 14} L 100 {bottom - 2} L 106 {bottom - 14} Z" fill="#555"/>'
        f'<text x="88" y="{bottom / 2:g}" class="purpose" text-anchor="middle"'
        f' transform="rotate(-90 88 {bottom / 2:g})">may import from those below</text>'
    )
    style = (
        "text{font-family:sans-serif;font-size:14px}.name{font-family:monospace;fill:#222}"
        ".purpose{fill:#555}.arrow{stroke:#555;stroke-width:1.5}"
    )
    size = f'width="920" height="{bottom + 12}" viewBox="0 0 920 {bottom + 12}"'
    OUTPUT.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n'
        f'<style>{style}</style>\n<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(rows)
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    main()
