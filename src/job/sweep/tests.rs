use super::*;
use crate::base::{CancelToken, Phase, Progress};
use crate::calibrate::{Shelf, Shelves};
use crate::checkpoint::{MemoryScratch, folder_of};
use crate::device::Preference;
use crate::fixture;
use pollster::block_on;
use std::cell::{Cell, RefCell};

/// Two draws of the text, two criteria, two ratios, and one recipe that looks at no text.
const RECIPES: &str = r#"[{
    "base": {"version": 1, "calibration": {"sequences": 6, "length": 32}, "output": {"kind": "sliced"}, "evaluation": {"limit": 200, "window": 32}},
    "vary": {"method.ratio": [0.2, 0.4], "calibration.seed": [0, 1],
             "method": [{"name": "a", "kind": "structured", "reconstruction": "bias"},
                        {"name": "b", "kind": "structured", "criterion": "second_moment", "error_aware": true},
                        {"name": "c", "kind": "structured", "criterion": "magnitude", "reconstruction": "none"}]}
}]"#;

/// What happened in a sweep.
#[derive(Default)]
struct Seen {
    /// Phases that were run to their end.
    ended: RefCell<Vec<Phase>>,
    storages: Cell<usize>,
    rows: RefCell<Vec<Row>>,
}

impl Seen {
    fn count(&self, phase: Phase) -> usize {
        self.ended.borrow().iter().filter(|ended| **ended == phase).count()
    }
}

/// Sweeps over the tiny model and cancels after so many rows.
fn swept(recipes: &[Named], known: &HashSet<String>, rows: usize) -> (Rc<Seen>, Result<()>) {
    let folder = folder_of(&fixture::files(fixture::shape("tiny-llama").unwrap()).unwrap()).unwrap();
    let text = |name: &str| block_on(folder.text(name)).unwrap();
    let (calibration, evaluation) = (text("calibration.txt"), text("valid.txt"));
    let seen = Rc::new(Seen::default());
    let observed = seen.clone();
    let observer = move |progress: &Progress| {
        if progress.layer.is_none() && progress.fraction == 1.0 {
            observed.ended.borrow_mut().push(progress.phase);
        }
    };
    let cancel = CancelToken::default();
    let device = block_on(Device::open(Preference::Cpu, cancel.clone())).unwrap();
    let run = Run::new(cancel.clone(), Rc::new(observer));
    let inputs = |_: &Recipe| Ok(Inputs { calibration: Some(calibration.clone()), evaluation: Some(evaluation.clone()), plan: None });
    let storage = || {
        seen.storages.set(seen.storages.get() + 1);
        let shelf = || Shelf { scratch: Box::new(MemoryScratch), limit: u64::MAX };
        Ok(Storage { output: Box::new(MemoryScratch), shelves: Shelves { memory: shelf(), disk: shelf() } })
    };
    let mut watch = |event: Event<'_>| {
        if let Event::Done(row) = event {
            seen.rows.borrow_mut().push(*row);
            if seen.rows.borrow().len() == rows {
                cancel.cancel();
            }
        }
        Ok(())
    };
    let sweep = Sweep { recipes, inputs: &inputs, storage: &storage, known };
    let result = block_on(sweep.run(&device, &run, &folder, &mut watch));
    (seen, result)
}

#[test]
fn what_recipes_share_is_computed_once() {
    let named = recipes(RECIPES).unwrap();
    let (seen, result) = swept(&named, &HashSet::new(), usize::MAX);
    result.unwrap();
    let rows = seen.rows.borrow();
    assert_eq!(rows.len(), 12);
    assert!(rows.iter().all(|row| row.error.is_none()));
    // One dense evaluation in all, one pass for each draw, and no dense model beside the pruned ones.
    assert_eq!((seen.count(Phase::EvaluateDense), seen.count(Phase::Calibrate), seen.count(Phase::EvaluatePruned)), (1, 2, 12));
    // Those of one draw together, and of these those of one criterion, in the order of the recipes.
    let order: Vec<String> = rows.iter().map(|row| format!("{}{}", row.recipe.calibration.seed, row.name)).collect();
    assert_eq!(order, ["0a", "0a", "0b", "0b", "0c", "0c", "1a", "1a", "1b", "1b", "1c", "1c"]);
    // Where no text was looked at, its draw makes no difference, and its pass costs nothing.
    let reports: Vec<&Report> = rows.iter().filter_map(|row| row.report.as_ref()).collect();
    assert_eq!(reports[4].quality_after, reports[10].quality_after);
    assert_ne!(reports[0].quality_after, reports[6].quality_after);
    assert!(reports[4].seconds.calibrate == 0.0 && reports[4].calibration.is_none() && reports[0].seconds.calibrate > 0.0);
    assert_eq!(reports[0].before.flops_per_token, reports[4].before.flops_per_token);
}

#[test]
fn a_cancelled_sweep_has_told_its_rows_and_goes_on_after_them() {
    let named = recipes(RECIPES).unwrap();
    let (seen, result) = swept(&named, &HashSet::new(), 8);
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Cancelled);
    let known: HashSet<String> = seen.rows.borrow().iter().map(|row| row.key.clone()).collect();
    assert_eq!(known.len(), 8);
    let (rest, result) = swept(&named, &known, usize::MAX);
    result.unwrap();
    assert!(rest.rows.borrow().len() == 4 && rest.rows.borrow().iter().all(|row| !known.contains(&row.key)));
    // Only the second draw is left.
    assert_eq!((rest.count(Phase::Calibrate), rest.storages.get()), (1, 1));
}

#[test]
fn what_this_model_cannot_do_is_a_row() {
    let text = RECIPES.replace("\"kind\": \"sliced\"", "\"kind\": \"stock\"").replace("[0.2, 0.4]", "[0.2, 0.999]");
    let (seen, result) = swept(&recipes(&text).unwrap(), &HashSet::new(), usize::MAX);
    result.unwrap();
    for row in seen.rows.borrow().iter() {
        let Method::Structured(method) = &row.recipe.method else { panic!("not structured") };
        assert_eq!((row.error.is_some(), row.report.is_some()), (method.ratio > 0.9, method.ratio < 0.9), "{:?}", row.error);
    }
}

#[test]
fn a_text_that_is_not_right_costs_its_own_recipes_a_row() {
    // A window that the model has no positions for, in the evaluation of half of the recipes.
    let of = |windows: &str| {
        let vary = format!(r#""vary": {{"evaluation.window": [{windows}], "method.ratio": [0.2, 0.4],"#);
        recipes(&RECIPES.replace(r#""vary": {"method.ratio": [0.2, 0.4],"#, &vary)).unwrap()
    };
    let (seen, result) = swept(&of("32, 100000"), &HashSet::new(), usize::MAX);
    result.unwrap();
    let rows = seen.rows.borrow();
    assert!(rows.iter().any(|row| row.error.is_some()) && rows.iter().any(|row| row.report.is_some()));
    for row in rows.iter() {
        let wide = row.recipe.evaluation.as_ref().unwrap().window == Some(100_000);
        assert_eq!((row.error.is_some(), row.report.is_some()), (wide, !wide), "{:?}", row.error);
    }
    // Where it is all of them, nothing is begun.
    let (seen, result) = swept(&of("100000"), &HashSet::new(), usize::MAX);
    let message = result.unwrap_err().to_string();
    assert!(message.starts_with("Recipe 1 (a): ") && message.contains("100000"), "{message}");
    assert!(seen.rows.borrow().is_empty());
}
