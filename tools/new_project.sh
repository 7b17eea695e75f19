# Makes a project of your own: a clone of this one with your data, README and CI.
# `make new-project NAME=cats DATA=/path/to/photos` runs this: sh tools/new_project.sh NAME [DATA]
#
# The project lies beside this repository. It keeps the history, so that
# `git pull --no-rebase upstream main` brings later changes of the code. Needs git alone. Exit
# status 2: something to fix first.
set -eu

fail() {
  printf '%s\n' "$@" >&2
  exit 2
}

name=${1:-} data=${2:-data/own}
case $name in
  "" | *[!A-Za-z0-9_-]*) fail "NAME: found '$name', expected letters, digits, - and _." \
    "For example: make new-project NAME=cats DATA=/home/me/photos" ;;
esac
target=$(dirname "$PWD")/$name
[ ! -e "$target" ] || fail "$target exists. Choose another NAME, or remove it."
git -c user.useConfigOnly=true var GIT_COMMITTER_IDENT >/dev/null 2>&1 || fail "git does not know you:" \
  '  git config --global user.name "Your Name"' '  git config --global user.email you@example.com'
[ -z "${2:-}" ] || [ -e "$data" ] || fail "DATA: found '$data', which does not exist." \
  "Write the whole path of your photos, or leave DATA out and put them into data/own later."

[ -z "${2:-}" ] || data=$(cd "$(dirname "$data")" && pwd)/$(basename "$data")
case $data in *[\&\|\\\"\']* | *"
"*) fail "DATA: found '$data', expected a path without & | \\ and quotes." ;; esac
here=$PWD branch=$(git branch --show-current)
trap '[ $? = 0 ] || rm -rf "$target"' EXIT # nothing half made stays
trap 'exit 130' HUP INT TERM
git clone --quiet --origin upstream . "$target"
cd "$target"
if [ -z "$branch" ]; then # a tag or a commit is checked out
  branch=main
  git checkout --quiet -B main
fi
address=$(git -C "$here" remote get-url origin 2>/dev/null) && git remote set-url upstream "$address"
for key in user.name user.email; do
  value=$(git -C "$here" config "$key") || continue # git's variables in the environment say it
  git config "$key" "$value"
done
git rm --quiet -r .ci dvc.lock metrics
git config merge.ours.driver true # a pull keeps the files that are listed below
printf '%s merge=ours\n' README.md params.yaml search.yaml dvc.lock 'metrics/**' .github/workflows/ci.yml >.gitattributes
sed -e "s|^    path: examples/local |    path: \"$data\" |" -e "s|^  experiment: ssd300|  experiment: \"$name\"|" \
  -e '1s|.*|# The active experiment, made of presets/custom.yaml.|' -e 2d presets/custom.yaml >params.yaml
sed -e "s|^    low: 0.02$|    low: 0.0005|" -e "s|^    high: 0.5$|    high: 0.005|" search.yaml >search.adam
mv search.adam search.yaml # custom.yaml has Adam, which takes a hundredth of the rates
cat >README.md <<END
# $name

An object detector for \`$data\`. \`params.yaml\` holds the active experiment; the code and its documents
([own data](docs/own-data.md), [sweeps](docs/sweeps.md), [teamwork](docs/team.md)) come from the SSD pipeline.

\`\`\`sh
make demo                        # first time: the environment; then data, training, report/index.html
source .venv/bin/activate
python -m stages.predict PHOTOS  # find objects in other photos
dvc repro                        # after a change: the stages that it concerns
python -m stages.search          # let a search find the best settings of search.yaml
git add dvc.lock metrics params.yaml && git commit -m "Train" && dvc push   # after docs/team.md
git pull --no-rebase upstream $branch   # later changes of the code: docs/team.md
\`\`\`

\`make lint\` checks the code, as CI does. \`make test\` passes in the SSD pipeline's own repository alone: it tests the demo, too.
\`data/own\` is for images that belong to the project: \`dvc add data/own\` lets \`dvc push\` share them.
END
cat >.github/workflows/ci.yml <<'END'
name: CI
on: [push, pull_request]

permissions:
  contents: read

jobs:
  check: # your code is sound, and params.yaml is valid; training is for your own machine
    runs-on: ubuntu-latest
    timeout-minutes: 30
    steps:
      - uses: actions/checkout@v6
      - uses: actions/setup-python@v6
        with:
          python-version: "3.11"
      - run: make lint
      - run: .venv/bin/python -c "from pathlib import Path; from ssdcore.params.reader import read_params; read_params(Path('params.yaml'))"
END
git add --all
git commit --quiet --message "Begin $name"
printf '%s\n' "$target is a project of its own, committed on $branch." \
  "Its data: $data (dataset.local.path in params.yaml). Next:"
[ -n "${2:-}" ] || echo "  Put your photos with their labels into $target/data/own."
echo "  cd $target && make demo"
