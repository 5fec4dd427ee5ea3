//! One JSON line per figure, with what it stands on beside it.

use serde_json::{Map, Value, json};

use crate::meter::{self, Spent};
use crate::stack::Stack;

/// A figure that is being put together.
pub struct Line(Map<String, Value>);

impl Line {
    /// Begins a line. The disk and the machine are looked at now.
    pub fn of(figure: &str, stack: &Stack) -> anyhow::Result<Self> {
        let mut line = Self(Map::new());
        line.0.insert("figure".into(), figure.into());
        line.0.insert("durability".into(), stack.durability().into());
        line.0.insert("fdatasync_per_s".into(), json!(round(meter::flush_rate(stack.folder())?)));
        line.0.insert("load_1min".into(), json!(meter::load()));
        Ok(line)
    }

    pub fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    pub fn number(self, name: &str, value: f64) -> Self {
        self.set(name, json!(round(value)))
    }

    /// CPU per operation, by process.
    pub fn cpu(self, spent: &Spent, operations: f64) -> Self {
        let line = self
            .number("cpu_ms", spent.cpu_ms() / operations)
            .number("cpu_ms_service", spent.service_ms / operations)
            .number("cpu_ms_postgres", spent.postgres_ms / operations)
            .number("cpu_ms_redis", spent.redis_ms / operations);
        match spent.flushes_per(operations) {
            Some(flushes) => line.number("flushes", flushes),
            None => line,
        }
    }

    /// The median and the 99th percentile, in milliseconds.
    pub fn milliseconds(self, name: &str, sample: &mut [f64]) -> Self {
        let (half, most) = (percentile(sample, 0.5), percentile(sample, 0.99));
        self.number(&format!("{name}_ms_p50"), half).number(&format!("{name}_ms_p99"), most)
    }

    pub fn print(self) {
        println!("{}", Value::Object(self.0));
    }
}

/// The value below which this part of the sample lies; NaN, which is printed as null, of an empty one.
pub fn percentile(sample: &mut [f64], part: f64) -> f64 {
    sample.sort_by(f64::total_cmp);
    let last = sample.len().saturating_sub(1);
    let place = (last as f64 * part).round() as usize;
    sample.get(place).copied().unwrap_or(f64::NAN)
}

/// Four figures are more than a run repeats.
fn round(value: f64) -> f64 {
    if value.abs() >= 100.0 { value.round() } else { (value * 10_000.0).round() / 10_000.0 }
}
