//! The router's command line, and with the operator's file the checked plan of one action.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use crate::config::{self, Config, Network};
use crate::error::{Error, Result};
use crate::passwd::{Names, id};
use crate::secrets::Secret;
use crate::step::Step;

/// What the action's root is made from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// An image: the canonical reference, and the digest that names its root in the store.
    Image { reference: String, hex: String },
    /// An image that the router merged into the input root, in which this directory is the action's
    /// own.
    Inline { name: String },
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
    /// Whether the home is the operator's word, and so made where it is missing.
    pub makes_home: bool,
    /// A user by name, until it is looked up in the root.
    pub names: Option<Names>,
    pub infrastructure_failure_file: Option<PathBuf>,
    /// Directories of the input root that the action finds made.
    pub made_directories: Vec<PathBuf>,
    pub step: Step,
    /// What the step's secrets are, once they are read.
    pub secrets: Vec<Secret>,
    pub argv: Vec<CString>,
}

/// Where the sandbox puts something of its own over whatever an image has there.
const PROVIDED: [&str; 5] = ["proc", "sys", "dev", "tmp", "etc"];

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
    inline: Option<OsString>,
    sandbox: bool,
    check: bool,
    json: bool,
    working_directory: PathBuf,
    network: Option<Network>,
    user: OsString,
    infrastructure_failure_file: Option<PathBuf>,
    make_directories: Vec<OsString>,
    step: Step,
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
    let config = config::read(flags.config.as_deref(), flags.check)?;
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
        (b"--inline", Some(v)) => flags.inline = Some(v.to_owned()),
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
        (b"--make-directory", Some(v)) => flags.make_directories.push(v.to_owned()),
        (name, Some(v)) if flags.step.set(name, v)? => {}
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
            makes_home: true,
            names: None,
            infrastructure_failure_file: None,
            made_directories: Vec::new(),
            step: Step::default(),
            secrets: Vec::new(),
            argv: Vec::new(),
            config,
        }
    }

    /// The home, if it is for the sandbox to make.
    pub fn made_home(&self) -> Option<&Path> {
        self.makes_home.then_some(&*self.home)
    }

    /// Makes root the action's user.
    pub fn become_root(&mut self) {
        (self.uid, self.gid) = (0, 0);
        (self.name, self.home) = ("root".to_owned(), PathBuf::from("/root"));
    }
}

fn plan(flags: Flags, config: Config) -> Result<Plan> {
    let source = match (flags.image, flags.inline, flags.sandbox) {
        (Some(image), inline, false) => image_source(&image, inline)?,
        (None, None, true) => Source::Machine,
        (None, Some(_), false) => return Err(usage("--inline takes the --image that is in it")),
        _ => return Err(usage("exactly one of --image and --sandbox must be given")),
    };
    if matches!(source, Source::Image { .. }) && config.store.is_none() {
        return Err(usage("--image takes a configuration that names the store"));
    }
    if flags.argv.is_empty() {
        return Err(usage("no program behind --"));
    }
    let made = flags.make_directories.iter();
    let made_directories =
        made.map(|path| beneath(&flags.working_directory, path)).collect::<Result<_>>()?;
    let network = flags.network.unwrap_or(config.network);
    let mut plan = Plan {
        source,
        working_directory: flags.working_directory,
        network,
        infrastructure_failure_file: flags.infrastructure_failure_file,
        made_directories,
        step: flags.step,
        argv: flags.argv,
        ..Plan::probe(config)
    };
    match flags.user.to_str() {
        Some("" | "build") => {}
        Some("root") => plan.become_root(),
        text => set_ids(&mut plan, text.unwrap_or_default())?,
    }
    Ok(plan)
}

/// Takes numbers as they are; names are looked up when there is a root.
fn set_ids(plan: &mut Plan, text: &str) -> Result<()> {
    let (uid, gid) = text.split_once(':').unwrap_or((text, text));
    if let (Some(uid), Some(gid)) = (id(uid), id(gid)) {
        (plan.uid, plan.gid) = (uid, gid);
        return Ok(());
    }
    let rule = "--user must be build, root or USER[:GROUP], each a name or a number";
    plan.names = Names::parse(text);
    match plan.names {
        Some(_) => Ok(()),
        None => Err(usage(format!("{rule}: current value is {text:?}"))),
    }
}

/// Where the image is: named by `--image`, and in the input root where there is `--inline`.
fn image_source(image: &OsStr, inline: Option<OsString>) -> Result<Source> {
    let reference = image.to_str().unwrap_or_default();
    let Some(hex) = digest_of(reference) else {
        return Err(usage(format!(
            "--image must be registry/repository@sha256:<64 hex digits> or \
             cas://<64 hex digits>/<size>: current value is {image:?}"
        )));
    };
    let Some(inline) = inline else {
        return Ok(Source::Image { reference: reference.to_owned(), hex: hex.to_owned() });
    };
    // The sandbox has directories of its own at the others.
    let is_free = |name: &&str| !["", ".", ".."].contains(name) && !PROVIDED.contains(name);
    let name = inline.to_str().filter(|name| !name.contains('/')).filter(is_free);
    let name = name.ok_or_else(|| {
        usage(format!("--inline must be the name of a directory: current value is {inline:?}"))
    })?;
    Ok(Source::Inline { name: name.to_owned() })
}

/// The digest in a canonical reference: of a manifest, or of a tree in CAS.
fn digest_of(reference: &str) -> Option<&str> {
    // It becomes a line of the fetcher's protocol and a name in the store.
    if reference.bytes().any(|b| b <= b' ' || b == 127) {
        return None;
    }
    let hex = match reference.strip_prefix("cas://") {
        Some(tree) => {
            let (hex, size) = tree.split_once('/')?;
            let is_size = !size.is_empty() && size.bytes().all(|b| b.is_ascii_digit());
            is_size.then_some(hex)?
        }
        None => reference.rsplit_once("@sha256:")?.1,
    };
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (hex.len() == 64 && hex.bytes().all(is_hex)).then_some(hex)
}

/// A path without "." and "..", from wherever the flag says.
pub fn relative(value: &OsStr, flag: &str) -> Result<PathBuf> {
    let path = Path::new(value);
    if path.components().all(|c| matches!(c, Component::Normal(_))) {
        return Ok(path.components().collect());
    }
    Err(usage(format!("{flag} must be relative and normalised: current value is {value:?}")))
}

/// A path that is relative to the working directory, as seen from the input root; by its text alone,
/// as workers read paths of outputs.
fn beneath(working_directory: &Path, value: &OsStr) -> Result<PathBuf> {
    let mut path = working_directory.to_owned();
    for component in Path::new(value).components() {
        let within = match component {
            Component::Normal(name) => {
                path.push(name);
                true
            }
            Component::ParentDir => path.pop(),
            _ => false,
        };
        if !within {
            return Err(usage(format!(
                "--make-directory must be relative and stay within the input root: current value \
                 is {value:?}"
            )));
        }
    }
    Ok(path)
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

/// A command line that the router would not have made.
pub fn usage(reason: impl Into<String>) -> Error {
    Error::Usage(reason.into())
}
