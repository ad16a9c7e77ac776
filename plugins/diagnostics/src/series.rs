//! Counters, gauges and histograms in memory, for either exporter.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Series that are kept at most, of all metrics together (PROM-02).
pub(crate) const MOST_SERIES: usize = 2048;

/// How a metric adds up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Only rises.
    Counter,
    /// The last value counts.
    Gauge,
    /// Values in classes with these upper bounds.
    Histogram(&'static [f64]),
}

/// A metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    /// In the words of UCUM, for OTLP.
    pub(crate) unit: &'static str,
    pub(crate) kind: Kind,
}

/// Names and values of labels, in the order in which they were given.
pub(crate) type Labels = Vec<(&'static str, String)>;

/// The value of one series.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Point {
    /// Sum of a counter or histogram, value of a gauge.
    pub(crate) value: f64,
    /// Observations of a histogram.
    pub(crate) count: u64,
    /// Observations of each class of a histogram; the last one has no bound.
    pub(crate) classes: Vec<u64>,
}

/// One metric with its series.
#[derive(Clone, Debug)]
pub(crate) struct Family {
    pub(crate) metric: Metric,
    pub(crate) points: BTreeMap<Labels, Point>,
}

#[derive(Clone, Debug, Default)]
struct Data {
    families: BTreeMap<&'static str, Family>,
    series: usize,
    dropped: u64,
}

/// All series of an exporter.
#[derive(Debug, Default)]
pub(crate) struct SeriesSet(Mutex<Data>);

impl SeriesSet {
    /// Adds to a counter, sets a gauge, or observes a value. A series beyond the limit is dropped and counted.
    pub(crate) fn put(&self, metric: &Metric, labels: Labels, value: f64) {
        let mut data = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let data = &mut *data;
        let family = data.families.entry(metric.name).or_insert_with(|| Family { metric: *metric, points: BTreeMap::new() });
        if !family.points.contains_key(&labels) {
            if data.series >= MOST_SERIES {
                data.dropped += 1;
                return;
            }
            data.series += 1;
        }
        let point = family.points.entry(labels).or_default();
        match metric.kind {
            Kind::Counter => point.value += value,
            Kind::Gauge => point.value = value,
            Kind::Histogram(bounds) => {
                point.classes.resize(bounds.len() + 1, 0);
                let class = bounds.iter().position(|bound| value <= *bound).unwrap_or(bounds.len());
                if let Some(count) = point.classes.get_mut(class) {
                    *count += 1;
                }
                point.value += value;
                point.count += 1;
            }
        }
    }

    /// Adds one to a counter.
    pub(crate) fn count(&self, metric: &Metric, labels: Labels) {
        self.put(metric, labels, 1.0);
    }

    /// Everything now, by name, and how many series were dropped.
    pub(crate) fn snapshot(&self) -> (Vec<Family>, u64) {
        let data = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (data.families.values().cloned().collect(), data.dropped)
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Data::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTER: Metric = Metric { name: "c", help: "", unit: "1", kind: Kind::Counter };
    const TIMES: Metric = Metric { name: "h", help: "", unit: "s", kind: Kind::Histogram(&[1.0, 2.0]) };

    #[test]
    fn values_fall_into_the_class_whose_bound_they_do_not_exceed() {
        let set = SeriesSet::default();
        for value in [0.5, 1.0, 1.5, 9.0] {
            set.put(&TIMES, Vec::new(), value);
        }
        let (families, _) = set.snapshot();
        let point = families[0].points.values().next().unwrap();
        assert_eq!((point.classes.as_slice(), point.count, point.value), (&[2, 1, 1][..], 4, 12.0));
    }

    // PROM-02
    #[test]
    fn series_beyond_the_limit_are_dropped_and_counted() {
        let set = SeriesSet::default();
        for number in 0..MOST_SERIES + 3 {
            set.count(&COUNTER, vec![("n", number.to_string())]);
        }
        set.count(&COUNTER, vec![("n", "0".into())]);
        let (families, dropped) = set.snapshot();
        assert_eq!((families[0].points.len(), dropped), (MOST_SERIES, 3));
        assert_eq!(families[0].points[&vec![("n", "0".to_string())]].value, 2.0);
        set.clear();
        assert_eq!(set.snapshot().0.len(), 0);
    }
}
