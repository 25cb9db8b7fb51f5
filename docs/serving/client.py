"""Send pictures to a served model over REST, print what it says. Standard library only.

    python client.py [--url http://localhost:8501/v1/models/gastric] PICTURE…

One line a picture: path, label, probability, threshold. Exit status 1 when the server
refuses or is not there.
"""

import argparse
import base64
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

AT_ONCE = 32


def predict(url: str, pictures: list[bytes]) -> list[dict]:
    """One answer a picture, by the predict API of TF Serving."""
    instances = [
        {"image_bytes": {"b64": base64.b64encode(p).decode()}} for p in pictures
    ]
    body = json.dumps({"instances": instances}).encode()
    request = urllib.request.Request(
        f"{url}:predict", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["predictions"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://localhost:8501/v1/models/gastric")
    parser.add_argument("pictures", nargs="+", type=Path)
    options = parser.parse_args()
    for start in range(0, len(options.pictures), AT_ONCE):
        paths = options.pictures[start : start + AT_ONCE]
        try:
            answers = predict(options.url, [path.read_bytes() for path in paths])
        except urllib.error.HTTPError as error:
            print(f"error: {error.code} {error.read().decode()}", file=sys.stderr)
            return 1
        except urllib.error.URLError as error:
            print(f"error: {options.url}: {error.reason}", file=sys.stderr)
            return 1
        except OSError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        for path, answer in zip(paths, answers):
            # Named after the positive class: malignant_probability.
            name = next(key for key in answer if key.endswith("_probability"))
            print(
                path,
                answer["label"],
                f"{answer[name]:.6f}",
                f"{answer['threshold']:.6f}",
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
