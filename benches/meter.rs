//! What the figures are made of: CPU time of whole process trees, flushes of the disks, memory, and how fast the disk
//! flushes in this very minute. Reads /proc and /sys of Linux.

use std::collections::HashMap;
use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::clock;

/// Milliseconds of one clock tick of /proc: USER_HZ is 100 on every architecture that Linux runs us on.
const TICK_MS: f64 = 10.0;

/// Whose time counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Watched {
    pub service: Option<u32>,
    pub postgres: Option<u32>,
    pub redis: Option<u32>,
}

/// One reading; two of them make a figure.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    at: Instant,
    service: f64,
    postgres: f64,
    redis: f64,
    flushes: Option<u64>,
}

/// What happened between two readings.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    pub seconds: f64,
    pub service_ms: f64,
    pub postgres_ms: f64,
    pub redis_ms: f64,
    pub flushes: Option<u64>,
}

impl Watched {
    pub fn read(&self) -> Reading {
        let tree = |pid: Option<u32>| pid.map_or(0.0, tree_ms);
        Reading {
            at: clock::now(),
            service: tree(self.service),
            postgres: tree(self.postgres),
            redis: tree(self.redis),
            flushes: flushes(),
        }
    }

    pub fn since(&self, before: Reading) -> Spent {
        let after = self.read();
        Spent {
            seconds: (after.at - before.at).as_secs_f64(),
            service_ms: after.service - before.service,
            postgres_ms: after.postgres - before.postgres,
            redis_ms: after.redis - before.redis,
            flushes: after.flushes.zip(before.flushes).map(|(after, before)| after - before),
        }
    }
}

impl Spent {
    /// Two stretches taken together.
    pub fn and(&self, other: &Self) -> Self {
        Self {
            seconds: self.seconds + other.seconds,
            service_ms: self.service_ms + other.service_ms,
            postgres_ms: self.postgres_ms + other.postgres_ms,
            redis_ms: self.redis_ms + other.redis_ms,
            flushes: self.flushes.zip(other.flushes).map(|(one, two)| one + two),
        }
    }

    pub fn cpu_ms(&self) -> f64 {
        self.service_ms + self.postgres_ms + self.redis_ms
    }

    pub fn flushes_per(&self, operations: f64) -> Option<f64> {
        self.flushes.map(|flushes| f64::from(u32::try_from(flushes).unwrap_or(u32::MAX)) / operations)
    }
}

/// User and system time of a process and everything below it; of children that ended, what they passed on.
fn tree_ms(root: u32) -> f64 {
    let mut stats: HashMap<u32, (u32, f64)> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(stat) = stat(pid) {
            stats.insert(pid, stat);
        }
    }
    let below = |pid: u32| {
        let mut at = pid;
        while at > 1 && at != root {
            at = stats.get(&at).map_or(0, |(parent, _)| *parent);
        }
        at == root
    };
    stats.iter().filter(|(pid, _)| below(**pid)).map(|(_, (_, ms))| ms).sum()
}

/// The parent of a process and its time (proc(5), /proc/pid/stat: fields 4 and 14 to 17).
fn stat(pid: u32) -> Option<(u32, f64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let number = |place: usize| fields.get(place - 3).and_then(|field| field.parse::<f64>().ok());
    let parent = fields.get(1)?.parse().ok()?;
    Some((parent, (number(14)? + number(15)? + number(16)? + number(17)?) * TICK_MS))
}

/// Flush requests that the disks have finished (Linux, Documentation/block/stat.rst: the sixteenth field).
fn flushes() -> Option<u64> {
    let mut all = None;
    for disk in fs::read_dir("/sys/block").ok()?.flatten() {
        let flushed = fs::read_to_string(disk.path().join("stat"))
            .ok()
            .and_then(|text| text.split_whitespace().nth(15).and_then(|field| field.parse::<u64>().ok()));
        all = all.into_iter().chain(flushed).reduce(|a, b| a + b);
    }
    all
}

/// Resident memory in MiB.
pub fn resident_mib(pid: u32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}

/// How often per second the disk takes a page and flushes it: a throughput says nothing without it.
pub fn flush_rate(folder: &Path) -> anyhow::Result<f64> {
    let path = folder.join("flush-probe");
    let mut file = fs::File::create(&path)?;
    let page = [7_u8; 8192];
    let start = clock::now();
    let mut done = 0_u32;
    while start.elapsed() < Duration::from_millis(300) {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&page)?;
        file.sync_data()?;
        done += 1;
    }
    let rate = f64::from(done) / start.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    Ok(rate)
}

/// Load of the machine over the last minute.
pub fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}
