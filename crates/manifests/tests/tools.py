"""What the tests of the manifests ask of other programs' libraries; documents go by as JSON.

  tools.py yaml                    YAML on standard input, a list of its documents out
  tools.py validate VERSION        a list of documents in; each mistake against that version's schema out
  tools.py helm CHART NAMESPACE    values in; what Helm renders from the chart, a list of documents out
"""

import json
import sys

import yaml


def documents(text):
    return [one for one in yaml.safe_load_all(text) if one]


def validate(version, objects):
    import kubernetes_validate

    mistakes = []
    for one in objects:
        name = f"{one['kind']} {one['metadata']['name']}"
        try:
            kubernetes_validate.validate(one, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            mistakes.append(f"{name}: {'.'.join(str(part) for part in error.path)}: {error.message}")
        except kubernetes_validate.SchemaNotFoundError as error:
            mistakes.append(f"{name}: {error}")
    return mistakes


def helm(path, namespace, values):
    import helm_python

    found = []
    with helm_python.Chart.load(path) as chart:
        for text in chart.render(values, name="taffrail", namespace=namespace).values():
            found.extend(documents(text))
    return found


verb, *words = sys.argv[1:]
given = sys.stdin.read()
if verb == "yaml":
    answer = documents(given)
elif verb == "validate":
    answer = validate(words[0], json.loads(given))
else:
    answer = helm(words[0], words[1], json.loads(given))
json.dump(answer, sys.stdout)
