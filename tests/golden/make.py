"""Write what the embedded models answer for the clips in examples/, after one was replaced on purpose::

    python tests/golden/make.py

tests/runtime/test_recognizer.py compares with it. Look at the difference before you commit it.
"""

import json
from pathlib import Path

import serkit
from serkit.runtime.session import embedded_models

EXAMPLES = Path(__file__).parents[2] / "examples"
GOLDEN = Path(__file__).parent / "embedded.json"


def answers(name: str) -> dict[str, dict[str, float]]:
    """Return each example's probabilities by an embedded model, most probable first."""
    recognizer = serkit.load(name)
    clips = sorted(file for file in EXAMPLES.iterdir() if file.suffix in {".wav", ".flac"})
    return {
        clip.name: {name: round(p, 6) for name, p in recognizer.predict(clip).probabilities.items()} for clip in clips
    }


def main() -> None:
    """Write the file."""
    content = {name: {"model": serkit.load(name).card.name, "answers": answers(name)} for name in embedded_models()}
    GOLDEN.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    print(f"{GOLDEN}: {', '.join(content)}")


if __name__ == "__main__":
    main()
