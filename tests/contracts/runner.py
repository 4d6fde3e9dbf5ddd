"""What whoever runs a search's trials must do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distml.batch import FeatureBatch
from distml.storage import Storage
from distml.tune import Objective, Search, SearchSpace, TrialRecord, local
from distml.tune.budget import Budget
from distml.tune.log import TrialLog
from distml.tune.objective import Data
from distml.tune.population import Population
from distml.tune.results import TrialResults
from distml.tune.schedulers import Halving
from searches import AUC, SMALL, Heard, data_of, objective_of, repeatable, study_of

# Some of these diverge, and LightGBM refuses some; the rest are finished or given up.
OVERRIDES = {
    "mlp": {**SMALL["mlp"], "lr": {"choice": [0.01, 1e30]}},
    "trees": {"num_leaves": {"choice": [1, 4]}},
}


def folded() -> Data:
    """Rows that are dealt to three folds."""
    rows = data_of()["dense"][0]
    fold = (np.arange(len(rows)) % 3).astype(np.int8)
    return {recipe: (replace(rows, fold=fold), None) for recipe in ("dense", "trees")}


class RunnerContract:
    """A subclass runs a search; `short_s` is time in which it begins a trial, and has to end it."""

    short_s = 0.5

    def run(self, search: Search, objective: Objective, data: Data, log: TrialLog, folder: Path) -> list[TrialRecord]:
        raise NotImplementedError

    def both(self, make, objective: Objective, data: Data, tmp_path: Path):
        """The records of this runner and of the plainest one, with their listeners; `make` makes a new search."""
        logs = [TrialLog(Storage(tmp_path / name), "search") for name in ("here", "there")]
        heard = [Heard(), Heard()]
        wanted = local.run_trials(make(heard[0], logs[0]), objective, data, logs[0].files)
        found = self.run(make(heard[1], logs[1]), objective, data, logs[1], tmp_path / "own")
        listed = [log.files.storage.list("search/trials") for log in logs]
        assert listed[1] == listed[0], "the same files are left"
        assert heard[1].curves() == heard[0].curves()
        assert sorted(heard[1].ended, key=lambda record: record.number) == found
        return found, wanted, logs[1].files.results

    def test_trials_come_to_the_same_on_any_runner(self, tmp_path):
        def make(heard, log):
            study, halving = study_of(OVERRIDES, seed=2), Halving(AUC, max_epochs=14, lag=4)
            return Search(study, halving, heard, log, num_kept=2)

        found, wanted, results = self.both(make, objective_of(), data_of(), tmp_path)
        assert without_places(found) == without_places(wanted)
        assert {record.state for record in found} == {"finished", "pruned", "failed"}
        assert {record.family for record in found if record.score is not None} == {"linear", "mlp", "trees"}
        kept = results.numbers()
        assert len(kept) == 2
        for number in kept:
            assert AUC(data_of()["dense"][1].target, results.outputs(number)) == found[number - 1].score
            assert results.model(number) is not None

    def test_a_population_comes_to_the_same_on_any_runner(self, tmp_path):
        def make(heard, log):
            space = SearchSpace.of(("mlp",), {"mlp": {"width": 8}})
            source = Population(space, AUC, num_samples=8, population=4, interval_epochs=2, max_epochs=9, seed=0)
            return Search(source, None, heard, log)

        found, wanted, _ = self.both(make, objective_of(), data_of(), tmp_path)
        assert repeatable(found) == repeatable(wanted)
        assert [record.num_epochs for record in found] == [2] * 4 + [4] * 4

    def test_trials_over_folds_leave_their_outputs(self, tmp_path):
        def make(heard, log):
            return Search(study_of(num_samples=4), Halving(AUC, max_epochs=9, lag=4), heard, log)

        found, wanted, results = self.both(make, objective_of(max_epochs=9), folded(), tmp_path)
        assert repeatable(found) == repeatable(wanted)
        best = max(found, key=lambda record: record.score)
        rows = folded()["dense"][0]
        assert isinstance(rows, FeatureBatch)
        assert AUC(rows.target, results.outputs(best.number)) == pytest.approx(best.score)
        assert results.model(best.number) is None

    def test_out_of_time_trials_keep_their_best_so_far(self, tmp_path):
        forever = objective_of(max_epochs=10**6, patience=10**6)
        study = study_of(families=("linear",), overrides={}, num_samples=50)
        heard, log = Heard(), TrialLog(Storage(tmp_path / "store"), "search")
        search = Search(study, None, heard, log, budget=Budget(time_s=self.short_s), num_kept=10)
        records = self.run(search, forever, data_of(), log, tmp_path / "own")
        assert 1 <= len(records) < 50
        assert {record.state for record in records} == {"stopped"}
        assert len(heard.ended) == len(records) == len(heard.started)
        results = TrialResults(log.files.storage, "search")
        for record in records:
            assert AUC(data_of()["dense"][1].target, results.outputs(record.number)) == record.score

    def test_the_costs_of_a_model_are_measured(self, tmp_path):
        objective = replace(objective_of(max_epochs=2), costs=("num_params", "size_mb"))
        log = TrialLog(Storage(tmp_path / "store"), "search")
        records = self.run(Search(study_of(num_samples=3), None, Heard(), log), objective, data_of(), log, tmp_path)
        assert all(set(record.objectives) == {"num_params", "size_mb"} for record in records)
        assert all(value > 0 for record in records for value in record.objectives.values())


def without_places(records: list[TrialRecord]) -> list[dict]:
    """Records without the time they took, and without the file that has more of a reason."""
    return [{**record, "reason": record["reason"] and record["reason"].partition(" (more in")[0]}
            for record in repeatable(records)]  # fmt: skip
