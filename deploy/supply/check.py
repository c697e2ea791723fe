"""Checks bills of materials by the schema of CycloneDX 1.5: check.py FILE …"""

import json
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

if __name__ == "__main__":
    validator = JsonStrictValidator(SchemaVersion.V1_5)
    for name in sys.argv[1:]:
        text = Path(name).read_text("utf-8")
        if mistake := validator.validate_str(text):
            sys.exit(f"{name}: {mistake}")
        references = [each["purl"] for each in json.loads(text)["components"]]
        if not references or len(references) != len(set(references)):
            sys.exit(f"{name}: it lists nothing, or something twice")
