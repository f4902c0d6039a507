//! The operator's file and the router's command line become one checked plan.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
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

/// The operator's file. README.md says what each key means.
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
    pub max_processes: u64,
    pub nested_user_namespaces: bool,
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
            // Far above what a build needs, far below what stops a machine.
            max_processes: 16384,
            nested_user_namespaces: false,
        }
    }
}

/// What the action's root is made from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// An image: the canonical reference, and the digest that names its root in the store.
    Image { reference: String, hex: String },
    /// The worker's own root, with the store hidden.
    Machine,
}

/// Everything about one action, checked.
#[derive(Clone, Debug)]
pub struct Plan {
    pub config: Config,
    pub source: Source,
    pub working_directory: PathBuf,
    pub network: Network,
    pub uid: u32,
    pub gid: u32,
    pub name: String,
    pub home: PathBuf,
    pub infrastructure_failure_file: Option<PathBuf>,
    pub argv: Vec<CString>,
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    Run(Box<Plan>),
    Check { config: Box<Config>, json: bool },
    Lock { exclusive: bool, nonblocking: bool, fd: i32 },
    PeerCred { fd: i32 },
    SyncFs { fd: i32 },
    Version,
    Help,
}

/// Parses the command line and reads the configuration that it names.
pub fn parse(arguments: Vec<OsString>) -> Result<Command> {
    match arguments.first().map(|first| first.as_bytes()) {
        Some(b"lock") => parse_lock(&arguments[1..]),
        Some(b"peercred") => Ok(Command::PeerCred { fd: only_descriptor(&arguments[1..])? }),
        Some(b"syncfs") => Ok(Command::SyncFs { fd: only_descriptor(&arguments[1..])? }),
        Some(b"--version") => Ok(Command::Version),
        Some(b"--help") | None => Ok(Command::Help),
        _ => parse_options(arguments),
    }
}

/// Flags as given, before the configuration is known.
#[derive(Default)]
struct Flags {
    config: Option<PathBuf>,
    image: Option<OsString>,
    sandbox: bool,
    check: bool,
    json: bool,
    working_directory: PathBuf,
    network: Option<Network>,
    user: OsString,
    infrastructure_failure_file: Option<PathBuf>,
    argv: Vec<CString>,
}

fn parse_options(arguments: Vec<OsString>) -> Result<Command> {
    let mut flags = Flags::default();
    let mut rest = arguments.into_iter();
    // Everything behind `--` is the action's, whatever it looks like.
    while let Some(argument) = rest.next() {
        if argument == "--" {
            flags.argv = rest
                .map(|a| {
                    CString::new(a.into_vec()).map_err(|_| usage("an argument holds a NUL byte"))
                })
                .collect::<Result<_>>()?;
            break;
        }
        set_flag(&mut flags, &argument)?;
    }
    let config = read_config(flags.config.as_deref(), flags.check)?;
    if flags.check {
        return Ok(Command::Check { config: Box::new(config), json: flags.json });
    }
    plan(flags, config).map(|plan| Command::Run(Box::new(plan)))
}

fn set_flag(flags: &mut Flags, argument: &OsStr) -> Result<()> {
    let bytes = argument.as_bytes();
    let (name, value) = match bytes.iter().position(|&b| b == b'=') {
        Some(at) => (&bytes[..at], Some(OsStr::from_bytes(&bytes[at + 1..]))),
        None => (bytes, None),
    };
    match (name, value) {
        (b"--config", Some(v)) if v.as_bytes().starts_with(b"/") => flags.config = Some(v.into()),
        (b"--config", _) => return Err(usage("--config must be an absolute path")),
        (b"--image", Some(v)) => flags.image = Some(v.to_owned()),
        (b"--sandbox", None) => flags.sandbox = true,
        (b"--check", None) => flags.check = true,
        (b"--json", None) => flags.json = true,
        (b"--working-directory", Some(v)) => {
            flags.working_directory = relative(v, "--working-directory")?;
        }
        (b"--network", Some(v)) if v == "host" => flags.network = Some(Network::Host),
        (b"--network", Some(v)) if v == "none" => flags.network = Some(Network::None),
        (b"--network", _) => return Err(usage("--network must be host or none")),
        (b"--user", Some(v)) => flags.user = v.to_owned(),
        (b"--infrastructure-failure-file", Some(v)) => {
            flags.infrastructure_failure_file = Some(relative(v, "--infrastructure-failure-file")?);
        }
        _ => return Err(usage(format!("unknown argument {argument:?}"))),
    }
    Ok(())
}

impl Plan {
    /// A plan that runs nothing, for the check.
    pub fn probe(config: Config) -> Plan {
        let user = config.build_user.clone();
        Plan {
            source: Source::Machine,
            working_directory: PathBuf::new(),
            network: Network::None,
            uid: user.uid,
            gid: user.gid,
            name: user.name,
            home: user.home,
            infrastructure_failure_file: None,
            argv: Vec::new(),
            config,
        }
    }
}

fn plan(flags: Flags, config: Config) -> Result<Plan> {
    let source = match (flags.image, flags.sandbox) {
        (Some(image), false) => image_source(&image)?,
        (None, true) => Source::Machine,
        _ => return Err(usage("exactly one of --image and --sandbox must be given")),
    };
    if matches!(source, Source::Image { .. }) && config.store.is_none() {
        return Err(usage("--image takes a configuration that names the store"));
    }
    if flags.argv.is_empty() {
        return Err(usage("no program behind --"));
    }
    let network = flags.network.unwrap_or(config.network);
    let mut plan = Plan {
        source,
        working_directory: flags.working_directory,
        network,
        infrastructure_failure_file: flags.infrastructure_failure_file,
        argv: flags.argv,
        ..Plan::probe(config)
    };
    match flags.user.to_str() {
        Some("" | "build") => {}
        Some("root") => {
            (plan.uid, plan.gid) = (0, 0);
            (plan.name, plan.home) = ("root".to_owned(), PathBuf::from("/root"));
        }
        Some(ids) => {
            let (uid, gid) = ids.split_once(':').unwrap_or((ids, ids));
            (plan.uid, plan.gid) = (id(uid)?, id(gid)?);
        }
        None => return Err(usage("--user must be build, root or UID[:GID]")),
    }
    Ok(plan)
}

fn read_config(path: Option<&Path>, optional: bool) -> Result<Config> {
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

fn image_source(image: &OsStr) -> Result<Source> {
    let reference = image.to_str().unwrap_or_default();
    let hex = reference.rsplit_once("@sha256:").map_or("", |(_, hex)| hex);
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    // It becomes a line of the fetcher's protocol and a name in the store.
    if hex.len() != 64
        || !hex.bytes().all(is_hex)
        || reference.bytes().any(|b| b <= b' ' || b == 127)
    {
        return Err(usage(format!(
            "--image must be registry/repository@sha256:<64 hex digits>: current value is {image:?}"
        )));
    }
    Ok(Source::Image { reference: reference.to_owned(), hex: hex.to_owned() })
}

fn relative(value: &OsStr, flag: &str) -> Result<PathBuf> {
    let path = Path::new(value);
    if path.components().all(|c| matches!(c, Component::Normal(_))) {
        return Ok(path.components().collect());
    }
    Err(usage(format!("{flag} must be relative and normalised: current value is {value:?}")))
}

fn id(text: &str) -> Result<u32> {
    let refuse =
        || usage(format!("--user must be build, root or UID[:GID]: current value is {text:?}"));
    text.parse().ok().filter(|&id| id != u32::MAX).ok_or_else(refuse)
}

fn parse_lock(arguments: &[OsString]) -> Result<Command> {
    let (mut exclusive, mut nonblocking, mut fd) = (None, false, None);
    for argument in arguments {
        match argument.to_str() {
            Some("--shared") => exclusive = Some(false),
            Some("--exclusive") => exclusive = Some(true),
            Some("--nonblocking") => nonblocking = true,
            _ => fd = Some(descriptor(argument)?),
        }
    }
    match (exclusive, fd) {
        (Some(exclusive), Some(fd)) => Ok(Command::Lock { exclusive, nonblocking, fd }),
        _ => Err(usage("lock takes --shared or --exclusive, and a descriptor")),
    }
}

fn only_descriptor(arguments: &[OsString]) -> Result<i32> {
    match arguments {
        [one] => descriptor(one),
        _ => Err(usage("exactly one descriptor must be given")),
    }
}

fn descriptor(argument: &OsStr) -> Result<i32> {
    let number = argument.to_str().and_then(|text| text.parse::<i32>().ok());
    number.filter(|&fd| fd >= 0).ok_or_else(|| usage(format!("not a descriptor: {argument:?}")))
}

fn usage(reason: impl Into<String>) -> Error {
    Error::Usage(reason.into())
}
