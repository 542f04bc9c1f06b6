"""Write what the embedded model answers for the clips in examples/, after it was replaced on purpose::

    python tests/golden/make.py

tests/runtime/test_recognizer.py compares with it. Look at the difference before you commit it.
"""

import json
from pathlib import Path

import serkit

EXAMPLES = Path(__file__).parents[2] / "examples"
GOLDEN = Path(__file__).parent / "embedded.json"


def answers() -> dict[str, dict[str, float]]:
    """Return each example's probabilities, most probable first."""
    recognizer = serkit.load()
    clips = sorted(file for file in EXAMPLES.iterdir() if file.suffix in {".wav", ".flac"})
    return {
        clip.name: {name: round(p, 6) for name, p in recognizer.predict(clip).probabilities.items()} for clip in clips
    }


def main() -> None:
    """Write the file."""
    content = {"model": serkit.load().card.name, "answers": answers()}
    GOLDEN.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    print(f"{GOLDEN}: {len(content['answers'])} clips")


if __name__ == "__main__":
    main()
