//! The cgroup tree: which cgroups are shown, under what name, and what each uses.

mod name;
mod usage;

use std::collections::{BTreeSet, VecDeque};

use metrics::counter;
use once::Order as _;

use crate::telemetry;
use crate::tree::Tree;

pub(crate) use usage::Usage;

/// How many cgroups are shown; more are left out and counted, the deepest first.
pub const MAX_CGROUPS: usize = 512;
/// How many folders of the tree are looked at.
const MAX_VISITED: usize = 8192;
/// How deep the tree is searched: a rootless container in a user's session lies at seven.
const MAX_DEPTH: usize = 8;

const MOUNT: &str = "sys/fs/cgroup";

/// One cgroup that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cgroup {
    /// Its name: a unit, a slice, or a container's runtime and short id.
    pub(crate) name: String,
    pub(crate) usage: Usage,
}

/// Where each controller's tree is. With v2 all are one.
#[derive(Debug)]
enum Hierarchy {
    Unified,
    /// Folders of controllers below the mount point.
    Split {
        cpu_time: Option<&'static str>,
        cpu: Option<&'static str>,
        memory: Option<&'static str>,
        block: Option<&'static str>,
    },
}

/// Every cgroup worth showing, shallow ones first.
pub(crate) fn read(tree: &Tree<'_>) -> Vec<Cgroup> {
    let hierarchy = Hierarchy::find(tree);
    let mut names = BTreeSet::new();
    let mut cgroups = Vec::new();
    let mut refused = 0;
    for (path, name) in hierarchy.walk(tree) {
        let usage = hierarchy.usage(tree, &path);
        if usage.is_unknown() || !names.insert(name.clone()) {
            continue;
        }
        if cgroups.len() == MAX_CGROUPS {
            refused += 1;
            continue;
        }
        cgroups.push(Cgroup { name, usage });
    }
    if refused > 0 {
        counter!(telemetry::CGROUPS_REFUSED).increment(refused);
    }
    cgroups
}

impl Hierarchy {
    fn find(tree: &Tree<'_>) -> Self {
        if tree.exists(&format!("{MOUNT}/cgroup.controllers")) {
            return Self::Unified;
        }
        let first = |names: &'static [&'static str]| {
            names.iter().copied().find(|name| tree.exists(&format!("{MOUNT}/{name}")))
        };
        Self::Split {
            cpu_time: first(&["cpuacct", "cpu,cpuacct", "cpuacct,cpu"]),
            cpu: first(&["cpu", "cpu,cpuacct", "cpuacct,cpu"]),
            memory: first(&["memory"]),
            block: first(&["blkio"]),
        }
    }

    /// The trees that are searched; a cgroup may exist in some of them only.
    fn roots(&self) -> Vec<String> {
        match self {
            Self::Unified => vec![MOUNT.to_owned()],
            Self::Split { cpu_time, memory, .. } => {
                [*memory, *cpu_time].into_iter().flatten().map(below_mount).collect()
            }
        }
    }

    /// Paths (`/system.slice/ssh.service`) and names of what is shown, breadth first.
    fn walk(&self, tree: &Tree<'_>) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        for root in self.roots() {
            let mut waiting = VecDeque::from([(String::new(), 0)]);
            let mut visited = 0;
            while let Some((path, depth)) = waiting.pop_front() {
                visited += 1;
                if visited > MAX_VISITED {
                    break;
                }
                let name = name::of(&path);
                let is_container = name.as_ref().is_some_and(|name| name.is_container);
                if let Some(name) = name
                    && seen.insert(path.clone())
                {
                    found.push((depth, path.clone(), name.text));
                }
                if depth < MAX_DEPTH && !is_container {
                    let below = tree.folders(&format!("{root}{path}"));
                    waiting.extend(below.iter().map(|name| (format!("{path}/{name}"), depth + 1)));
                }
            }
        }
        found.order();
        found.into_iter().map(|(_, path, name)| (path, name)).collect()
    }

    fn usage(&self, tree: &Tree<'_>, path: &str) -> Usage {
        match self {
            Self::Unified => usage::unified(tree, &format!("{MOUNT}{path}")),
            Self::Split { cpu_time, cpu, memory, block } => {
                let at = |controller: Option<&str>| {
                    controller.map(|name| format!("{}{path}", below_mount(name)))
                };
                usage::split(
                    tree,
                    &usage::Folders {
                        cpu_time: at(*cpu_time),
                        cpu: at(*cpu),
                        memory: at(*memory),
                        block: at(*block),
                    },
                )
            }
        }
    }
}

fn below_mount(name: &str) -> String {
    format!("{MOUNT}/{name}")
}
