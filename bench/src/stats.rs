//! Percentiles of samples.

/// Samples of one figure, sorted.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Sorts what was measured.
    pub fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// The value below which this share of the samples lies; 0 without samples.
    pub fn at(&self, share: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get(((self.0.len() as f64 * share) as usize).min(last)).copied().unwrap_or(0.0)
    }

    /// The middle value.
    pub fn median(&self) -> f64 {
        self.at(0.5)
    }

    /// The smallest value.
    pub fn min(&self) -> f64 {
        self.at(0.0)
    }

    /// The largest value.
    pub fn max(&self) -> f64 {
        self.at(1.0)
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_stay_inside_the_samples() {
        let samples = Samples::new(vec![3.0, 1.0, 2.0]);
        assert_eq!((samples.min(), samples.median(), samples.max()), (1.0, 2.0, 3.0));
        assert_eq!(Samples::default().median(), 0.0);
    }
}
