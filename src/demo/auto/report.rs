//! What `demo --auto` says: one line for each thing that was checked, in words, with what was expected and what was
//! seen; and a bar while a hold runs.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Characters of the bar.
const BAR: usize = 30;

/// Counts and prints.
#[derive(Debug)]
pub struct Report {
    checks: usize,
    failed: Vec<String>,
    bar: Bar,
}

/// Whether somebody watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bar {
    /// At a terminal one line is written over and over.
    Shown,
    /// Into a file or a pipe nothing is.
    Hidden,
}

impl Report {
    pub fn new() -> Self {
        let bar = if std::io::stdout().is_terminal() { Bar::Shown } else { Bar::Hidden };
        Self { checks: 0, failed: Vec::new(), bar }
    }

    /// A new part of the story.
    pub fn scene(&self, title: &str) {
        println!("\n{title}");
    }

    /// One check: what was seen must read as what was expected.
    pub fn check(&mut self, what: &str, expected: impl Display, seen: impl Display) {
        let (expected, seen) = (expected.to_string(), seen.to_string());
        self.checks += 1;
        if expected == seen {
            println!("  ok      {what} (expected {expected}; saw {seen})");
        } else {
            println!("  FAILED  {what} (expected {expected}; saw {seen})");
            self.failed.push(what.to_owned());
        }
    }

    /// A part of the story that couldn't go on.
    pub fn broke_off(&mut self, scene: &str, error: &anyhow::Error) {
        self.checks += 1;
        println!("  FAILED  {scene} couldn't go on: {error:#}");
        self.failed.push(scene.to_owned());
    }

    /// Draws how much of a hold is over.
    pub fn draw(&self, done: Duration, whole: Duration) {
        if self.bar == Bar::Shown {
            print!("\r  {}", bar(done, whole));
            // A terminal that can't be written to shows no bar; the checks don't depend on it.
            let _ = std::io::stdout().flush();
        }
    }

    /// Takes the bar away.
    pub fn wipe(&self) {
        if self.bar == Bar::Shown {
            print!("\r{:width$}\r", "", width = BAR + 40);
            let _ = std::io::stdout().flush();
        }
    }

    /// The last words.
    ///
    /// # Errors
    /// When a check failed.
    pub fn end(self) -> anyhow::Result<()> {
        if self.failed.is_empty() {
            println!("\nAll {} checks were right.", self.checks);
            return Ok(());
        }
        println!("\n{} of {} checks FAILED:", self.failed.len(), self.checks);
        for what in &self.failed {
            println!("  {what}");
        }
        anyhow::bail!("the demo's story did not come out right")
    }
}

fn bar(done: Duration, whole: Duration) -> String {
    let parts = BAR as u128;
    let full = (done.as_millis() * parts / whole.as_millis().max(1)).min(parts);
    let full = usize::try_from(full).unwrap_or(BAR);
    let left = whole.saturating_sub(done).as_secs_f32();
    format!("cooling-off [{}{}] {left:.1} s left", "#".repeat(full), "-".repeat(BAR - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_and_never_overflows() {
        let second = Duration::from_secs(1);
        assert!(bar(Duration::ZERO, second).contains(&"-".repeat(BAR)));
        assert!(bar(second / 2, second).contains(&format!("[{}{}]", "#".repeat(15), "-".repeat(15))));
        assert!(bar(5 * second, second).contains(&"#".repeat(BAR)));
        assert!(bar(second, Duration::ZERO).contains(&"#".repeat(BAR)));
    }

    #[test]
    fn one_wrong_check_makes_the_whole_wrong() {
        let mut report = Report::new();
        report.check("the same", "409 conflict", "409 conflict");
        report.check("another", "409 conflict", "200");
        assert!(report.end().is_err());
        let mut report = Report::new();
        report.check("the same", 1, 1);
        assert!(report.end().is_ok());
        let mut report = Report::new();
        report.broke_off("a scene", &anyhow::anyhow!("no answer"));
        assert!(report.end().is_err());
    }
}
