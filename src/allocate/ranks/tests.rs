//! Ranks against exhaustive search and against what the budget says.

use super::{RANK_ALLOCATIONS, RankRequest, Ranks, Sharing, kept_parameters, share};
use crate::base::Random;
use crate::score::Spectrum;

/// Spectra that fall at different speeds, in shapes of a block.
fn spectra(seed: u64) -> Vec<Spectrum> {
    let mut random = Random::new(seed);
    let shapes = [(24, 24), (24, 24), (12, 24), (24, 24), (96, 24), (24, 96)];
    let spectrum = |(m, n): (usize, usize)| {
        let speed = 2.0 * random.uniform();
        let size = (3.0 * random.normal()).exp();
        let gains: Vec<f64> = (1..=m * n / (m + n)).map(|i| size * (i as f64).powf(-speed)).collect();
        let total = gains.iter().sum::<f64>() * 1.1;
        Spectrum::known(m, n, gains, total)
    };
    shapes.into_iter().chain(shapes).map(spectrum).collect()
}

fn error(request: &RankRequest<'_>, ranks: &Ranks) -> f64 {
    let error = |spectrum: &Spectrum, rank: Option<usize>| rank.map_or(0.0, |rank| spectrum.errors()[rank]);
    request.spectra.iter().zip(ranks).zip(request.weights).map(|((spectrum, &rank), weight)| weight * error(spectrum, rank)).sum()
}

#[test]
fn every_allocation_meets_the_budget_and_none_wastes_it() {
    for seed in 0..20 {
        let spectra = spectra(seed);
        let weights: Vec<f64> = spectra.iter().map(|spectrum| 1.0 / spectrum.total).collect();
        for kept in [0.95, 0.8, 0.6, 0.4, 0.2] {
            let request = RankRequest { spectra: &spectra, weights: &weights, kept, floor: 0.5 };
            let all: usize = spectra.iter().map(Spectrum::dense).sum();
            for allocation in RANK_ALLOCATIONS {
                let ranks = allocation.ranks(&request);
                let spent: usize = spectra.iter().zip(&ranks).map(|(spectrum, &rank)| kept_parameters(spectrum, rank)).sum();
                assert!(spent <= request.budget(), "{}: {spent} of {}", allocation.name(), request.budget());
                // No rank of the widest layer fits any more, unless all are dense.
                assert!(spent + 120 >= request.budget(), "{}: {spent} of {} ({all})", allocation.name(), request.budget());
                for (spectrum, rank) in spectra.iter().zip(&ranks) {
                    assert!(rank.is_none_or(|rank| rank >= request.least(spectrum) && rank <= spectrum.values.len()));
                }
            }
        }
    }
}

#[test]
fn one_price_is_no_worse_than_the_same_share_and_thresholds_come_near_it() {
    for seed in 0..20 {
        let spectra = spectra(seed);
        let weights: Vec<f64> = spectra.iter().map(|spectrum| 1.0 / spectrum.total).collect();
        for kept in [0.8, 0.6, 0.4] {
            let request = RankRequest { spectra: &spectra, weights: &weights, kept, floor: 0.5 };
            let errors: Vec<f64> = RANK_ALLOCATIONS.iter().map(|allocation| error(&request, &allocation.ranks(&request))).collect();
            let [uniform, global, soft] = errors[..] else { panic!("three allocations") };
            assert!(global <= uniform * (1.0 + 1e-12), "{seed} {kept}: {global} against {uniform}");
            assert!(soft <= uniform * 0.9, "{seed} {kept}: {soft} against {uniform}, global {global}");
        }
    }
}

#[test]
fn two_layers_get_the_best_of_all_ranks() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let mut spectrum = |m: usize, n: usize| {
            let mut gains: Vec<f64> = (0..m * n / (m + n)).map(|_| random.uniform()).collect();
            gains.sort_by(|a, b| b.total_cmp(a));
            let total = gains.iter().sum();
            Spectrum::known(m, n, gains, total)
        };
        // Without a dense option within reach the error is convex, and steps of equal cost leave no gap.
        let spectra = vec![spectrum(20, 20), spectrum(20, 20)];
        let request = RankRequest { spectra: &spectra, weights: &[1.0, 2.0], kept: 0.45, floor: 0.5 };
        let allocation = super::rank_allocation("global").unwrap();
        let found = error(&request, &allocation.ranks(&request));
        let mut best = f64::INFINITY;
        for a in request.least(&spectra[0])..=10 {
            for b in request.least(&spectra[1])..=10 {
                if (a + b) * 40 <= request.budget() {
                    best = best.min(error(&request, &vec![Some(a), Some(b)]));
                }
            }
        }
        assert!((found - best).abs() < 1e-12, "{seed}: {found}, best {best}");
    }
}

/// The least weighted error of a group's ranks, floor or above, within a budget: separate ones by exhaustive search over two layers.
fn least_error(group: &Sharing<'_>, joint: bool, budget: usize) -> f64 {
    let options = |(spectrum, weight): (&Spectrum, f64)| -> Vec<(usize, f64)> {
        let ranks = spectrum.errors().into_iter().enumerate().map(|(rank, error)| (spectrum.cost(rank), weight * error));
        ranks.chain([(spectrum.dense(), 0.0)]).collect()
    };
    let fits =
        |options: Vec<(usize, f64)>| options.into_iter().filter(|one| one.0 <= budget).map(|one| one.1).fold(f64::INFINITY, f64::min);
    match (joint, &group.apart[..]) {
        (false, &[a, b]) => {
            let (a, b) = (options(a), options(b));
            fits(a.iter().flat_map(|a| b.iter().map(|b| (a.0 + b.0, a.1 + b.1))).collect())
        }
        _ => fits(options(group.joint)),
    }
}

#[test]
fn layers_share_where_that_leaves_less_error() {
    let mut decided = [0, 0];
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let mut spectrum = |m: usize, n: usize, size: f64| {
            let speed = 2.0 * random.uniform();
            let gains: Vec<f64> = (1..=m * n / (m + n)).map(|i| size * (i as f64).powf(-speed)).collect();
            let total = gains.iter().sum::<f64>() * 1.05;
            Spectrum::known(m, n, gains, total)
        };
        let (a, b, joint) = (spectrum(16, 16, 1.0), spectrum(16, 16, 1.0), spectrum(32, 16, 2.0));
        let group = Sharing { apart: vec![(&a, 1.0), (&b, 1.0)], joint: (&joint, 1.0) };
        let kept = 0.5;
        let shared = share(std::slice::from_ref(&group), kept, 0.0)[0];
        let budget = (kept * joint.dense() as f64) as usize;
        let [apart, joint] = [false, true].map(|joint| least_error(&group, joint, budget));
        // One price settles it but for what lies between two ranks.
        let (found, other) = if shared { (joint, apart) } else { (apart, joint) };
        assert!(found <= other + 0.05, "{seed}: {found}, the other way {other}");
        decided[usize::from(shared)] += 1;
    }
    assert!(decided[0] > 4 && decided[1] > 4, "{decided:?}");
}

#[test]
fn a_layer_alone_shares_nothing() {
    for seed in 0..5 {
        let spectra = spectra(seed);
        let groups: Vec<Sharing<'_>> = spectra.iter().map(|one| Sharing { apart: vec![(one, 1.0)], joint: (one, 1.0) }).collect();
        assert!(share(&groups, 0.6, 0.5).iter().all(|&shared| !shared));
    }
}
