//! The operator's file.

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Result};

/// Read when `--config` is absent.
const DEFAULT_CONFIG: &str = "/etc/berth/exec.toml";

/// Whether the action shares the worker's network or has only a loopback.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    Host,
    None,
}

/// How `/proc` is provided.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Proc {
    /// One of its own, in a PID namespace of its own.
    Fresh,
    /// The container's, without a PID namespace: weaker, where a masked `/proc` forbids a fresh one.
    Container,
}

/// The user an action is by default, as seen inside.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildUser {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: PathBuf,
}

/// Ids `i` below `count` of the sandbox are the machine's `first + i`, but for the action's own id.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdRange {
    pub first: u32,
    pub count: u32,
}

/// README.md says what each key means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub store: Option<PathBuf>,
    pub socket: Option<PathBuf>,
    pub build_directory: PathBuf,
    pub sandbox_uid: u32,
    pub sandbox_gid: u32,
    pub build_user: BuildUser,
    pub network: Network,
    pub upper: PathBuf,
    pub upper_size: u64,
    pub proc: Proc,
    pub acquire_timeout_seconds: u64,
    pub fault_fd: Option<i32>,
    pub sub_uids: Option<IdRange>,
    pub sub_gids: Option<IdRange>,
    pub hide: Vec<PathBuf>,
    pub secrets: Option<PathBuf>,
    pub max_processes: u64,
    pub nested_user_namespaces: bool,
    pub all_system_calls: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            store: None,
            socket: None,
            build_directory: PathBuf::new(),
            sandbox_uid: 65533,
            sandbox_gid: 65533,
            build_user: BuildUser {
                name: "build".to_owned(),
                uid: 1000,
                gid: 1000,
                home: PathBuf::from("/home/build"),
            },
            network: Network::Host,
            upper: PathBuf::from("tmpfs"),
            // Of memory, so well below what a worker has; large outputs belong to the build directory.
            upper_size: 4 << 30,
            proc: Proc::Fresh,
            // A cold pull of a large image takes minutes.
            acquire_timeout_seconds: 600,
            fault_fd: None,
            sub_uids: None,
            sub_gids: None,
            hide: Vec::new(),
            secrets: None,
            // Far above what a build needs, far below what stops a machine.
            max_processes: 16384,
            nested_user_namespaces: false,
            all_system_calls: false,
        }
    }
}

/// Reads the file, or the default one; `optional`: which need not be there.
pub fn read(path: Option<&Path>, optional: bool) -> Result<Config> {
    let file = path.unwrap_or(Path::new(DEFAULT_CONFIG));
    let refuse = |reason: String| Error::Config { path: file.to_owned(), reason };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        // The check has something to say about a machine that is not configured yet.
        Err(_) if optional && path.is_none() => return Ok(Config::default()),
        Err(error) => return Err(refuse(crate::error::plain(&error))),
    };
    let config: Config = toml::from_str(&text).map_err(|error| {
        let line = error
            .span()
            .map_or(1, |span| 1 + text[..span.start].bytes().filter(|&b| b == b'\n').count());
        refuse(format!("line {line}: {}", error.message().replace('\n', " ")))
    })?;
    let paths = [
        ("store", config.store.as_ref()),
        ("socket", config.socket.as_ref()),
        ("secrets", config.secrets.as_ref()),
        ("build_directory", Some(&config.build_directory)),
        ("build_user.home", Some(&config.build_user.home)),
    ];
    let listed = config.hide.iter().map(|path| ("hide", path));
    for (key, path) in paths.into_iter().filter_map(|(k, p)| Some((k, p?))).chain(listed) {
        if !path.is_absolute() || path.components().any(|c| c == Component::ParentDir) {
            let text =
                format!("must be an absolute path without \"..\": current value is {path:?}");
            return Err(refuse(format!("{key} {text}")));
        }
    }
    if config.upper != Path::new("tmpfs") && !config.upper.is_absolute() {
        return Err(refuse("upper must be \"tmpfs\" or an absolute path".to_owned()));
    }
    let bad_name = |b: &u8| !(b.is_ascii_alphanumeric() || b"_-.".contains(b));
    if config.build_user.name.is_empty() || config.build_user.name.as_bytes().iter().any(bad_name) {
        return Err(refuse(
            "build_user.name must be letters, digits, \"_\", \"-\" and \".\"".into(),
        ));
    }
    if config.sub_uids.is_some() != config.sub_gids.is_some() {
        return Err(refuse("sub_uids and sub_gids must be given together".to_owned()));
    }
    // It becomes a field of a line of passwd.
    if config.build_user.home.as_os_str().as_bytes().iter().any(|&b| b == b':' || b < b' ') {
        return Err(refuse("build_user.home must hold no \":\" and no control character".into()));
    }
    Ok(config)
}
