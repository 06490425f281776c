//! How a cost grows with the share of a sublayer that is removed.

/// scale * share^power: convex, rising, and nothing at nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Growth {
    scale: f64,
    power: f64,
}

/// Powers beyond this say that nearly all of the cost comes at the end; two probes tell no more.
const STEEPEST: f64 = 8.0;

impl Growth {
    /// Through the points (share, cost), up to two of them; where they do not rise, or rise less than in proportion, the line
    /// nearest to them.
    pub(super) fn fit(points: &[(f64, f64)]) -> Self {
        let power = match points {
            [(near, low), (far, high)] if *low > 0.0 && *high > 0.0 && near != far => {
                ((high / low).ln() / (far / near).ln()).clamp(1.0, STEEPEST)
            }
            [_, (_, high)] if *high > 0.0 => STEEPEST,
            // A disturbance has a squared effect while it is small.
            [_] => 2.0,
            _ => 1.0,
        };
        let product: f64 = points.iter().map(|(share, cost)| cost * share.powf(power)).sum();
        let square: f64 = points.iter().map(|(share, _)| share.powf(2.0 * power)).sum();
        Self { scale: if square > 0.0 { (product / square).max(0.0) } else { 0.0 }, power }
    }

    /// The slope at a share.
    pub(super) fn slope(&self, share: f64) -> f64 {
        self.scale * self.power * share.powf(self.power - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Growth, scale: f64, power: f64) {
        assert!((found.scale - scale).abs() < 1e-12 && (found.power - power).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn goes_through_two_points_that_rise_ever_faster() {
        // 0.32 * share^3.
        near(Growth::fit(&[(0.25, 0.005), (0.5, 0.04)]), 0.32, 3.0);
        assert!((Growth { scale: 0.32, power: 3.0 }.slope(0.5) - 0.24).abs() < 1e-12);
    }

    #[test]
    fn is_a_line_where_points_do_not_and_nothing_where_they_are_nothing() {
        // Least squares: (0.25 * 0.02 + 0.5 * 0.02) / (0.0625 + 0.25).
        near(Growth::fit(&[(0.25, 0.02), (0.5, 0.02)]), 0.048, 1.0);
        near(Growth::fit(&[(0.25, 0.0), (0.5, 0.0)]), 0.0, 1.0);
        near(Growth::fit(&[(0.5, 1.0)]), 4.0, 2.0);
        near(Growth::fit(&[]), 0.0, 1.0);
        let steep = Growth::fit(&[(0.25, 0.0), (0.5, 0.25)]);
        assert!(steep.power == STEEPEST && steep.slope(0.25) < steep.slope(0.5));
    }
}
