//! Screening: which neurons of a layer are scored exactly, and what the others get.
//!
//! A cheap score orders the neurons of a layer. Of those that are scored exactly, some are spread over that order, and tell how the
//! cheap scores of the layer translate; the others surround the place where the layer would be cut.

/// Share of the exactly scored ones that are spread over the order.
const SPREAD: f64 = 0.25;
/// Least number of them.
const LEAST: usize = 8;

/// Which units to score exactly, ascending: a share of them, by their cheap scores and the share that is to be removed.
pub(super) fn chosen(cheap: &[f64], share: f64, removed: f64) -> Vec<u32> {
    let count = ((cheap.len() as f64 * share).ceil() as usize).max(LEAST).min(cheap.len());
    let order = ascending(cheap);
    let spread = ((count as f64 * SPREAD).ceil() as usize).max(LEAST).min(count);
    let mut taken: Vec<bool> = vec![false; order.len()];
    for i in 0..spread {
        taken[i * (order.len() - 1) / (spread - 1).max(1)] = true;
    }
    // Outwards from the cut, until there are enough.
    let cut = removed * order.len() as f64;
    let mut nearest: Vec<usize> = (0..order.len()).collect();
    nearest.sort_by(|&a, &b| (a as f64 + 0.5 - cut).abs().total_cmp(&(b as f64 + 0.5 - cut).abs()).then(a.cmp(&b)));
    let mut left = count - taken.iter().filter(|&&taken| taken).count();
    for place in nearest {
        if left == 0 {
            break;
        }
        if !std::mem::replace(&mut taken[place], true) {
            left -= 1;
        }
    }
    let mut chosen: Vec<u32> = order.iter().zip(taken).filter(|(_, taken)| *taken).map(|(&unit, _)| unit).collect();
    chosen.sort_unstable();
    chosen
}

/// Scores of all units: exact where there is one, elsewhere the cheap score brought to the same scale. The line
/// ln(exact) = a + b ln(cheap) is fitted by least squares over the units that have both; b is at least 0.
pub(super) fn completed(cheap: &[f64], chosen: &[u32], exact: &[f64]) -> Vec<f64> {
    let log = |value: f64| value.max(f64::MIN_POSITIVE).ln();
    let points: Vec<(f64, f64)> = chosen
        .iter()
        .zip(exact)
        .map(|(&unit, &exact)| (cheap[unit as usize], exact))
        .filter(|&(cheap, exact)| cheap > 0.0 && exact > 0.0)
        .map(|(cheap, exact)| (cheap.ln(), exact.ln()))
        .collect();
    let count = points.len().max(1) as f64;
    let (x, y) = (points.iter().map(|p| p.0).sum::<f64>() / count, points.iter().map(|p| p.1).sum::<f64>() / count);
    let spread: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    let slope = if spread > 0.0 { (points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / spread).max(0.0) } else { 1.0 };
    let mut scores: Vec<f64> = cheap.iter().map(|&cheap| if cheap > 0.0 { (y + slope * (log(cheap) - x)).exp() } else { 0.0 }).collect();
    chosen.iter().zip(exact).for_each(|(&unit, &exact)| scores[unit as usize] = exact);
    scores
}

/// Units by their scores, ties by index.
fn ascending(scores: &[f64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    order.sort_by(|&a, &b| scores[a as usize].total_cmp(&scores[b as usize]).then(a.cmp(&b)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_and_the_cut_are_chosen() {
        let cheap: Vec<f64> = (0..100).map(|i| f64::from((i * 37) % 100)).collect();
        let chosen = chosen(&cheap, 0.3, 0.6);
        assert_eq!(chosen.len(), 30);
        assert!(chosen.is_sorted());
        let ranks: Vec<usize> = chosen.iter().map(|&unit| cheap[unit as usize] as usize).collect();
        assert!(ranks.contains(&0) && ranks.contains(&99));
        assert!((52..68).all(|rank| ranks.contains(&rank)), "{ranks:?}");
        assert_eq!(super::chosen(&cheap, 1.0, 0.5).len(), 100);
        assert_eq!(super::chosen(&cheap[..5], 0.1, 0.5).len(), 5);
    }

    #[test]
    fn a_power_law_is_found_and_exact_scores_stay() {
        let cheap = [1.0, 2.0, 3.0, 4.0, 0.0, 5.0];
        let law = |cheap: f64| 3.0 * cheap.powf(0.8);
        let scores = completed(&cheap, &[0, 2, 5], &[law(1.0), law(3.0), law(5.0)]);
        for (score, cheap) in scores.iter().zip(cheap) {
            assert!((score - law(cheap)).abs() < 1e-9);
        }
        // One point alone: proportional. Scores that fall as the cheap ones rise: all alike.
        assert!((completed(&[2.0, 4.0], &[0], &[10.0])[1] - 20.0).abs() < 1e-9);
        assert!((completed(&[1.0, 2.0, 3.0], &[0, 2], &[9.0, 1.0])[1] - 3.0).abs() < 1e-9);
    }
}
