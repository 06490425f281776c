//! Sweeps and prefix sums.

use super::super::context::Tiling;
use super::{Pair, pair};
use crate::device::sparse::tests::{Case, Prefixes, check_ties};
use pollster::block_on;
use proptest::prelude::*;

/// Products of a row in f32 come with each of its sums: some hundred terms, in another order.
const SUM: f64 = 1e-5;

/// Runs a body inside a validation scope.
fn valid(pair: &Pair, body: impl Future<Output = ()>) {
    let scope = pair.raw().context.device.push_error_scope(wgpu::ErrorFilter::Validation);
    block_on(body);
    let error = block_on(scope.pop());
    assert!(error.is_none(), "{error:?}");
}

#[test]
fn sweeps_are_what_loops_give() {
    let Some(pair) = pair() else { return };
    proptest!(ProptestConfig::with_cases(12), |(outputs in 1usize..150, inputs in 1usize..280, even: bool, share in 0f64..1.0, seed in any::<u64>())| {
        let inputs = if even { inputs.next_multiple_of(16) } else { inputs };
        valid(&pair, Case::new(outputs, inputs, seed).check(&pair.gpu, share, seed ^ 1));
    });
    valid(&pair, check_ties(&pair.gpu));
}

#[test]
fn sweeps_are_split_into_submissions() {
    let Some(pair) = pair() else { return };
    // The pass over the columns itself takes 128 columns of 200 outputs, the product a part of what is right of them.
    pair.raw().context.restrict_binding(128 << 10);
    pair.raw().context.pace.borrow_mut().restrict(1.0);
    let before = pair.raw().context.pool.submissions();
    valid(&pair, Case::new(200, 240, 5).check(&pair.gpu, 0.5, 6));
    assert!(pair.raw().context.pool.submissions() > before + 8);
}

#[test]
fn prefix_sums_are_what_loops_give() {
    let Some(pair) = pair() else { return };
    for tiling in [Tiling::Direct, Tiling::Tiled] {
        pair.raw().context.force(tiling);
        proptest!(ProptestConfig::with_cases(12), |(rows in 1usize..80, inputs in 1usize..90, count in 1usize..300, even: bool, step in 1usize..7, seed in any::<u64>())| {
            let count = if even { count.next_multiple_of(4) } else { count };
            valid(&pair, async { Prefixes::new(&pair.gpu, [rows, inputs, count, step], seed).await.check(SUM) });
        });
    }
}

#[test]
fn prefix_sums_are_split_into_submissions() {
    let Some(pair) = pair() else { return };
    pair.raw().context.restrict_binding(96 << 10);
    pair.raw().context.pace.borrow_mut().restrict(1.0);
    for tiling in [Tiling::Direct, Tiling::Tiled] {
        pair.raw().context.force(tiling);
        let before = pair.raw().context.pool.submissions();
        valid(&pair, async { Prefixes::new(&pair.gpu, [500, 90, 140, 3], 7).await.check(SUM) });
        assert!(pair.raw().context.pool.submissions() > before + 3);
    }
}
