//! What a process has.

use std::{fmt, fs};

use serde::{Deserialize, Serialize};

/// Memory, descriptors and tasks of a process.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Bytes that the program has asked for and not given back.
    pub(crate) memory: usize,
    /// Bytes that the process has of the system (VmRSS, proc(5)). An allocator keeps what there once
    /// was for what may come.
    pub(crate) resident: usize,
    pub(crate) descriptors: usize,
    /// Tasks of the runtime that have not ended.
    pub(crate) tasks: usize,
}

impl Figures {
    /// Those of this process.
    pub(crate) fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_ascii_whitespace().next());
        Self {
            memory: crate::ALLOCATOR.allocated(),
            resident: kib.and_then(|kib| kib.parse::<usize>().ok()).unwrap_or(0) * 1024,
            descriptors: fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
            tasks: tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks(),
        }
    }

    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            memory: self.memory.max(other.memory),
            resident: self.resident.max(other.resident),
            descriptors: self.descriptors.max(other.descriptors),
            tasks: self.tasks.max(other.tasks),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:6.1} MiB allocated, {:4} MiB resident, {:4} descriptors, {:5} tasks",
            self.memory as f64 / f64::from(1 << 20),
            self.resident >> 20,
            self.descriptors,
            self.tasks
        )
    }
}
