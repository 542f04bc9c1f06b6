"""The details of a report, one function for each section."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from serkit.data.corpora import corpus_of
from serkit.lab.measure.calibration import ERROR_RATE
from serkit.lab.measure.calibration_transfer import Transfer
from serkit.lab.measure.run_folder import Row, epochs_of, is_epoch_chosen
from serkit.lab.pages.drawing import NOTHING, Maker
from serkit.lab.pages.markup import Html, Tone, bar, figure, join, percent, table, tag
from serkit.lab.report.figures import FEW, drawn_measures
from serkit.lab.report.players import MAX_SECONDS, Sounds
from serkit.lab.report.provenance import NOT_RECORDED
from serkit.lab.report.reading import History, Run
from serkit.lab.report.scores import (
    ClassScore,
    GroupScore,
    before_temperature,
    brier_of,
    confident_errors,
    drawn_answers,
    error_curve,
    mean_confusion,
    most_frequent_confusion,
    per_class,
    per_group,
    transfer_of,
)

ERRORS = 10  # shown
DRAWN = 20  # answers shown
_PUBLIC_DOMAIN = "CC0-1.0"
_LONG = 30  # rows from which on a table is folded away
_CURVES = {"loss": "Loss", "accuracy": "Accuracy", "uar": "UAR"}


def accuracies(run: Run) -> Html:
    """Training, validation and test accuracy, as a notebook prints them."""
    n, histories = run.numbers, run.histories
    at = f"mean of {len(histories)} fits at the kept epoch" if len(histories) > 1 else "at the kept epoch"
    train, validation = (_at_kept(histories, f"{side}_accuracy") for side in ("train", "validation"))
    seen = NOTHING if n["validation_uar"] is None else f"{n['validation_uar']:.1f}"
    of_train = "" if math.isnan(train) else f"{at}; of the epoch's own batches, as they were augmented"
    chosen = ", which was chosen on it" if is_epoch_chosen(run.fits) else ""
    of_validation = f"{at}{chosen}"
    if n["is_validation_pooled"]:
        validation = _accuracy_of(run.validated)
        pooled = "pooled over folds" if len(run.divisions) > 1 else ""
        kept = f"at the kept epoch{chosen}" if any(epochs > 1 for _, epochs in epochs_of(run.fits)) else ""
        of_validation = ", ".join(filter(None, (pooled, kept)))
    elif math.isnan(validation):
        of_validation = "" if seen == NOTHING else "mean of the fits"
    rows = [
        ("training", _or_not(train), NOTHING, of_train),
        ("validation", _or_not(validation), seen, of_validation),
        ("test", f"{n['wa']:.1f}", f"{n['uar']:.1f}", "pooled over folds"),
    ]
    cells = [(*row[:3], tag("span", row[3], class_="note")) for row in rows]
    return table(("", "accuracy, %", "UAR, %", "what it is"), cells, texts=(0, 3))


def class_scores(run: Run) -> Html:
    """Precision, recall, F1 and support."""
    scores, macro, weighted = per_class(run.answers)
    rows = [_class_row(score) for score in (*scores, macro, weighted)]
    accuracy = ("accuracy", "", "", f"{run.numbers['wa']:.1f}", str(macro.support))
    rows.insert(len(scores), accuracy)
    looks = ["" for _ in scores] + ["total", "", ""]
    head = ("class", "precision, %", "recall, %", "F1, %", "support")
    note = "Macro: averaged over the classes that occur in the reference; weighted: by their support."
    return join(table(head, rows, classes=looks), tag("p", note, class_="note"))


def words(run: Run) -> Html:
    """Say which class is best, which is worst, and what is confused most."""
    scores, _, _ = per_class(run.answers)
    best, worst = max(scores, key=lambda s: s.recall), min(scores, key=lambda s: s.recall)
    text = f"Best recognized is {best.name} (recall {percent(best.recall)} %)"
    if worst is not best:
        text += f", worst {worst.name} ({percent(worst.recall)} %)"
    matrix = mean_confusion(run.answers)
    confusion = most_frequent_confusion(matrix, run.answers.classes)
    if not confusion:
        return join(f"{text}. Nothing is confused.")
    true, predicted, count = confusion
    support = matrix[run.answers.classes.index(true)].sum()
    return join(
        f"{text}. The most frequent confusion: {count:g} of {support:g} clips of {true} are taken for {predicted} "
        f"({100 * count / support:.0f} %)."
        if len(run.answers.seeds) == 1
        else f"{text}. The most frequent confusion: {true} is taken for {predicted} in {100 * count / support:.0f} % "
        "of its clips."
    )


def speakers_and_folds(run: Run, strips: Maker) -> Html:
    """Results of each fold and each speaker."""
    n, speakers, folds = run.numbers, per_group(run.answers, "speaker"), per_group(run.answers, "fold")
    caption = (
        f"One mark for each speaker{' and fold' if len(folds) > 1 else ''}; the line is the pooled UAR, the band its "
        "95 % interval. A speaker's UAR is over the classes that it has."
    )
    drawn = figure(strips, "speakers", caption, "UAR of each speaker and fold")
    spread = "" if len(folds) < 2 else (
        f"UAR of the folds: mean {n['uar_fold_mean']:.1f}, deviation {n['uar_fold_deviation']:.1f}. "
    )  # fmt: skip
    lowest = min(speakers, key=lambda group: group.uar)
    highest = max(speakers, key=lambda group: group.uar)
    text = f"{spread}Hardest speaker: {lowest.name} ({percent(lowest.uar)}); easiest: {highest.name} "
    text += f"({percent(highest.uar)})."
    return join(
        tag("div", drawn, tag("p", text), class_="pair"),
        tag("h3", "Folds"),
        _fold_table(run, folds),
        tag("h3", "Speakers"),
        _folded(_speaker_table(speakers), len(speakers), "speakers"),
    )


def curves(run: Run, figures: dict[str, Maker]) -> Html:
    """Training and validation by epoch."""
    drawn = drawn_measures(run.histories)
    if not run.histories:
        return tag("p", "Not recorded: this folder holds no history of the training.")
    if not drawn:
        return tag("p", "No curves: each fit has one epoch alone, as models have that are fitted at once.")
    single = sum(history.epochs == 1 for history in run.histories)
    note = (
        f"One thin line for each of {len(run.histories) - single} fits, the thick one their mean as far as half of "
        "them were trained; a dot marks the epoch whose weights were kept. Training is measured on augmented batches "
        "while the weights move, and its loss may be smoothed or weighted, so the two losses need not meet."
    )
    if single:
        note += f" {single} fits have one epoch alone and no line."
    missing = [name for name in ("accuracy",) if name not in drawn]
    if missing:
        note += " Accuracy by epoch was not recorded."
    parts = [
        figure(figures[f"curves_{name}"], f"curves_{name}", f"{_CURVES[name]} by epoch.", f"{_CURVES[name]} by epoch")
        for name in drawn
    ]
    return join(tag("p", note, class_="note"), tag("div", *parts, class_="pair"))


def calibration(run: Run, figures: dict[str, Maker]) -> Html:
    """Whether the probabilities can be believed, and what a threshold or sets of classes make of them."""
    answers, n = run.answers, run.numbers
    brier, found = brier_of(answers), transfer_of(run)
    confidence = float(answers.probabilities.max(2).mean())
    gap = 100 * confidence - n["wa"]
    tendency = "about as sure as it is right" if abs(gap) < 1 else "surer than it is right" if gap > 0 else (
        "less sure than it is right"
    )  # fmt: skip
    text = (
        f"On average the model is {percent(confidence)} % sure and {n['wa']:.1f} % right: {tendency}. Expected "
        f"calibration error {n['ece']:.1f} % (15 bins). Brier score {brier:.3f}: the squared error summed over "
        f"classes, 0 at best, 2 at worst, {1 - 1 / len(n['recall']):.3f} for guessing evenly."
    )
    if found.before is not None and before_temperature(run) is not None:
        text += (
            f" Without the temperatures, one for each fit from its validation speakers: calibration error "
            f"{percent(found.before.ece)} %, Brier score {found.before.brier:.3f}."
        )
    caption = (
        "Where a bar ends below the dashed line the model was surer than right, above it less sure. "
        f"A pale bar stands for fewer than {FEW} answers. Underneath: how many answers are that sure."
    )
    diagram = figure(figures["reliability"], "reliability", caption, "Reliability diagram")
    about = "Wrong answers if only the surest may stand, from the surest alone (left) to all (right)."
    curve = figure(figures["risk_coverage"], "risk_coverage", about, "Risk-coverage curve")
    area = (
        f"Mean share of wrong answers over the curve (AURC): {percent(error_curve(answers).area)} %, where an order at "
        f"random has {100 - n['wa']:.1f} %."
    )
    return join(tag("p", text), tag("div", diagram, curve, class_="pair"), tag("p", f"{area} {_selected(found)}"))


def _selected(found: Transfer) -> str:
    """Say what the validation answers' threshold and sets are worth on test."""
    if found.selection is None:
        return "Validation answers were not kept, so there is no threshold to try."
    goal = f"{100 * ERROR_RATE:.0f} %"
    text = f"Each fold's validation answers give a threshold above which at most {goal} of them are wrong: "
    selection = found.selection
    if selection.coverage:
        text += f"{percent(selection.coverage)} % of the test answers reach it, and {percent(selection.error)} % of "
        text += "these are wrong. "
    else:
        text += "there is none, or no test answer reaches it. "
    sets = " and ".join(
        f"for {100 * asked:.0f} % hold the true class in {percent(one.coverage)} %, with {one.size:.1f} classes each"
        for asked, one in found.sets.items()
    )
    return f"{text}Sets of classes {sets} (docs/CALIBRATION.md)."


def errors(run: Run, sounds: Sounds | None) -> Html:
    """The errors that the model was surest of, with players where there is audio."""
    rows = confident_errors(run.answers, ERRORS)
    if not rows:
        return tag("p", "There are none: every answer is right.")
    head = ["utterance", "actual", "predicted", "sure, %", "for the actual, %", "speaker"]
    is_with_seed = len(run.answers.seeds) > 1
    cells = [_error_row(run, row, sounds)[: len(head) + is_with_seed] for row in rows]
    content = table([*head, *(["seed"] if is_with_seed else [])], cells, texts=(0, 1, 2, 5))
    if sounds is None:
        command = tag("code", "serkit report RUN --audio --data DIR")
        return join(content, tag("p", "To hear them: ", command, ".", class_="note"))
    note = f"The first {MAX_SECONDS} s of each, at 16 kHz."
    if sounds.missing:
        note += f" {sounds.missing} of them could not be found in the data, or not be read."
    return join(content, tag("p", note, class_="note"))


def license_remarks(sounds: Sounds) -> list[tuple[Tone, object]]:
    """Return what a page with audio must say."""
    return [
        ("plain", f"Contains audio of {title}, license {terms}.")
        if terms == _PUBLIC_DOMAIN
        else ("bad", f"Contains audio of {title}, license {terms}: do not pass on.")
        for title, terms in sounds.licenses
    ]


def drawn(run: Run) -> Html:
    """Show predicted against actual for some utterances."""
    rows = drawn_answers(run.answers, DRAWN)
    cells = [
        (row.utterance, row.true, row.predicted, f"{100 * max(row.probabilities):.0f}",
         "right" if row.true == row.predicted else "wrong")
        for row in rows
    ]  # fmt: skip
    looks = ["" if row.true == row.predicted else "wrong" for row in rows]
    right = sum(not look for look in looks)
    caption = f"{len(rows)} utterances drawn at random (always the same), seed {run.answers.seeds[0]}: {right} right."
    return table(
        ("utterance", "actual", "predicted", "sure, %", ""), cells, caption=caption, texts=(0, 1, 2, 4), classes=looks
    )


def per_corpus(run: Run) -> Html:
    """Results of each corpus, where there are several."""
    rows = [
        (corpus_of(name).title, score["speakers"], score["utterances"],
         f"{score['uar']:.1f} [{score['uar_low']:.1f}, {score['uar_high']:.1f}]", f"{score['wa']:.1f}",
         f"{score['macro_f1']:.1f}")
        for name, score in run.numbers["per_corpus"].items()
    ]  # fmt: skip
    return table(("corpus", "speakers", "clips", "UAR [95 %]", "WA", "macro-F1"), rows)


def _class_row(score: ClassScore) -> tuple[object, ...]:
    is_average = score.name.endswith(" average")
    recall = percent(score.recall) if is_average else bar(score.recall)
    return score.name, percent(score.precision), recall, percent(score.f1), str(score.support)


def _fold_table(run: Run, folds: Sequence[GroupScore]) -> Html:
    divisions = {division.fold: division for division in reversed(run.divisions)}  # of several draws the first
    rows = []
    for group in folds:
        number = int(group.name)
        own = [history for history in run.histories if history.fold == number]
        fits = [fit for fit in run.fits if fit.fold == number]
        division = divisions.get(number)
        seen = [fit.validation_uar for fit in fits if fit.validation_uar is not None]
        rows.append(
            (
                number,
                " / ".join(map(str, division.speakers)) if division else NOT_RECORDED,
                " / ".join(str(count or NOTHING) for count in division.utterances) if division else NOT_RECORDED,
                _or_dash(_at_kept(own, "train_accuracy")),
                _or_dash(_at_kept(own, "validation_accuracy")),
                f"{np.mean(seen):.1f}" if seen else NOTHING,
                percent(group.accuracy),
                percent(group.uar),
            )
        )
    head = (
        "fold", "speakers", "clips", "training accuracy", "validation accuracy", "validation UAR", "test accuracy",
        "test UAR",
    )  # fmt: skip
    caption = "Speakers and clips: training / validation / test. Numbers in percent."
    return _folded(table(head, rows, caption=caption), len(rows), "folds")


def _speaker_table(speakers: Iterable[GroupScore]) -> Html:
    rows = [(group.name, group.clips, percent(group.accuracy), bar(group.uar), _confused(group)) for group in speakers]
    return table(("speaker", "clips", "accuracy, %", "UAR, %", "most frequent confusion"), rows, texts=(0, 4))


def _confused(group: GroupScore) -> Html:
    if group.confusion is None:
        return Html(NOTHING)
    true, predicted, count = group.confusion
    return join(f"{true} as {predicted}, {count:.3g} times")


def _error_row(run: Run, row: Row, sounds: Sounds | None) -> list[object]:
    given = row.probabilities[run.answers.classes.index(row.true)]
    name: object = row.utterance
    if sounds and (source := sounds.sources.get(row.utterance)):
        name = join(name, tag("audio", controls="", preload="none", src=source, aria_label=row.utterance))
    return [name, row.true, row.predicted, percent(max(row.probabilities)), percent(given), row.speaker, row.seed]


def _folded(content: Html, rows: int, what: str) -> Html:
    """Fold a long table away."""
    return tag("details", tag("summary", f"all {rows} {what}"), content) if rows > _LONG else content


def _at_kept(histories: Sequence[History], column: str) -> float:
    """Return a column at the kept epochs, mean over fits; NaN where one does not have it."""
    values = [history.at_kept(column) for history in histories]
    return float(np.mean(values)) if values else math.nan


def _accuracy_of(rows: Sequence[Row]) -> float:
    """Return the share of right answers, mean over seeds."""
    by_seed: dict[int, list[bool]] = {}
    for row in rows:
        by_seed.setdefault(row.seed, []).append(row.true == row.predicted)
    return float(np.mean([np.mean(right) for right in by_seed.values()]))


def _or_not(share: float) -> str:
    return NOT_RECORDED if math.isnan(share) else percent(share)


def _or_dash(share: float) -> str:
    return NOTHING if math.isnan(share) else percent(share)
