//! A histogram of latencies whose buckets grow with the value. A bucket is at most 1.6 % wide, so a million
//! samples take a few kilobytes and no percentile is off by more than that.

use std::time::Duration;

/// Buckets per power of two: 2⁶.
const BITS: u32 = 6;

/// Counts durations.
#[derive(Default)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub(crate) fn record(&mut self, latency: Duration) {
        let bucket = bucket(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.total += 1;
    }

    /// The latency that `parts` per thousand of the samples do not exceed, rounded up to the end of its
    /// bucket.
    pub(crate) fn per_mille(&self, parts: u64) -> Duration {
        let wanted = (self.total * parts).div_ceil(1000).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_nanos(end_of(bucket));
            }
        }
        Duration::ZERO
    }
}

fn bucket(nanos: u64) -> usize {
    let shift = nanos.checked_ilog2().unwrap_or(0).saturating_sub(BITS);
    // Below 2⁷, a bucket is one nanosecond. Above, the leading seven bits select the bucket within a power of
    // two.
    usize::try_from((u64::from(shift) << BITS) + (nanos >> shift)).unwrap_or(usize::MAX)
}

/// The largest value of a bucket.
fn end_of(bucket: usize) -> u64 {
    let bucket = u64::try_from(bucket).unwrap_or(u64::MAX);
    let shift = (bucket >> BITS).saturating_sub(1);
    let leading = bucket - (shift << BITS);
    ((leading + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lies_in_its_bucket_and_the_bucket_is_narrow() {
        let mut last = 0;
        for exponent in 0..40 {
            for nudge in [0, 1, 7, 63] {
                let value = (1_u64 << exponent) + nudge * (1 << exponent) / 64;
                let bucket = bucket(value);
                let end = end_of(bucket);
                assert!(bucket >= last && value <= end, "{value} is in {bucket}, which ends at {end}");
                assert!(end - value <= value / 64, "{value} is reported as {end}");
                last = bucket;
            }
        }
        for bucket_number in 1..3000 {
            assert_eq!(bucket(end_of(bucket_number)), bucket_number);
            assert_eq!(bucket(end_of(bucket_number - 1) + 1), bucket_number);
        }
    }

    #[test]
    fn percentiles() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.per_mille(500), Duration::ZERO);
        for ms in 1..=1000 {
            histogram.record(Duration::from_millis(ms));
        }
        for (parts, ms) in [(500, 500), (990, 990), (999, 999), (1000, 1000)] {
            let (found, exact) = (histogram.per_mille(parts), Duration::from_millis(ms));
            assert!(found >= exact && found <= exact * 65 / 64, "{parts} per mille: {found:?}");
        }
    }
}
