//! Whole numbers of zeros from a share.

/// The zeros of part `index` when `total` zeros are spread over parts whose sizes add up to `before` in front of it and to `after`
/// with it, of `all`: rounded down on the way, so that no part is off by more than one and all are `total`.
pub fn spread(total: usize, before: usize, after: usize, all: usize) -> usize {
    let upto = |size: usize| (total as u128 * size as u128 / all.max(1) as u128) as usize;
    upto(after) - upto(before)
}

/// `total` zeros in rows of `size` weights each, evenly.
pub fn even_rows(total: usize, rows: usize, size: usize) -> Vec<usize> {
    (0..rows).map(|row| spread(total, row * size, (row + 1) * size, rows * size)).collect()
}

/// Whole numbers as near as can be to `wanted`, at most `size` each, that add up to `total`: rounded down, then one more for those
/// that lost most, by index where equal.
pub(super) fn rounded(wanted: &[f64], size: usize, total: usize) -> Vec<usize> {
    let clipped: Vec<f64> = wanted.iter().map(|value| value.clamp(0.0, size as f64)).collect();
    let mut counts: Vec<usize> = clipped.iter().map(|value| value.floor() as usize).collect();
    let mut order: Vec<usize> = (0..counts.len()).collect();
    let lost = |row: &usize| clipped[*row] - clipped[*row].floor();
    order.sort_by(|a, b| lost(b).total_cmp(&lost(a)).then(a.cmp(b)));
    let mut sum: usize = counts.iter().sum();
    // More than one round only where values were clipped.
    while sum < total && counts.iter().any(|&count| count < size) {
        for &row in order.iter().filter(|_| size > 0) {
            if sum < total && counts[row] < size {
                counts[row] += 1;
                sum += 1;
            }
        }
    }
    while sum > total {
        for &row in order.iter().rev() {
            if sum > total && counts[row] > 0 {
                counts[row] -= 1;
                sum -= 1;
            }
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_is_lost_to_rounding(rows in 1usize..20, size in 1usize..20, share in 0f64..=1.0, seed in proptest::collection::vec(-0.5f64..1.5, 20)) {
            let total = (share * (rows * size) as f64) as usize;
            let even = even_rows(total, rows, size);
            prop_assert_eq!(even.iter().sum::<usize>(), total);
            prop_assert!(even.iter().max().unwrap() - even.iter().min().unwrap() <= 1);
            let wanted: Vec<f64> = seed[..rows].iter().map(|value| value * size as f64).collect();
            let counts = rounded(&wanted, size, total);
            prop_assert_eq!(counts.iter().sum::<usize>(), total);
            prop_assert!(counts.iter().all(|&count| count <= size));
        }
    }

    #[test]
    fn those_that_lost_most_get_one_more() {
        assert_eq!(rounded(&[1.2, 2.7, 0.1, 1.7], 4, 6), [1, 3, 0, 2]);
        assert_eq!(rounded(&[1.5, 1.5], 4, 3), [2, 1]);
    }
}
