//! Secrets of the operator's folder, which an action names and never holds.

use std::ffi::{CString, OsStr};
use std::fmt;
use std::io::Read;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat, open, openat};

use crate::command_line::usage;
use crate::error::{During, Error, Result, plain};
use crate::sandbox::DIRECTORY;
use crate::step::Step;

/// Longest secret: it has to fit into the environment of a program.
const LIMIT: u64 = 64 << 10;
/// Most of them for one action: each is looked for in all that it prints.
const MOST: usize = 64;

/// A variable and the name of the secret that is its value.
#[derive(Clone, Debug, PartialEq)]
pub struct SecretFlag {
    pub variable: String,
    pub name: String,
}

impl SecretFlag {
    /// Reads `VARIABLE:name`.
    pub fn parse(value: &OsStr) -> Result<SecretFlag> {
        let is_variable = |text: &str| {
            let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            text.bytes().all(word) && text.bytes().next().is_some_and(|b| !b.is_ascii_digit())
        };
        // It becomes a file's name, and a part of what the action prints.
        let is_name = |text: &str| {
            let word = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
            text.len() <= 255
                && text.bytes().all(word)
                && !matches!(text.as_bytes(), [] | [b'.', ..])
        };
        let parts = value.to_str().and_then(|text| text.split_once(':'));
        match parts.filter(|(variable, name)| is_variable(variable) && is_name(name)) {
            Some((variable, name)) => {
                Ok(SecretFlag { variable: variable.to_owned(), name: name.to_owned() })
            }
            None => Err(usage(format!(
                "--secret must be VARIABLE:name, the name of letters, digits, \".\", \"_\" and \
                 \"-\" and without a dot in front: current value is {value:?}"
            ))),
        }
    }
}

/// A secret with its value, which nothing prints.
#[derive(Clone)]
pub struct Secret {
    pub variable: String,
    pub name: String,
    pub value: Vec<u8>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.variable, self.name)
    }
}

impl Secret {
    /// As an entry of the environment.
    pub fn entry(&self) -> Option<CString> {
        CString::new([self.variable.as_bytes(), b"=", &self.value].concat()).ok()
    }
}

/// Reads what the step names, as whoever started the helper.
pub fn read(step: &Step, folder: Option<&Path>) -> Result<Vec<Secret>> {
    let mut secrets: Vec<Secret> = Vec::new();
    for SecretFlag { variable, name } in &step.secrets {
        let Some(folder) = folder else {
            return Err(usage(format!(
                "the secret {name:?} cannot be had here: the operator names a folder of secrets in \
                 the helper's file (key \"secrets\")"
            )));
        };
        if secrets.iter().any(|other| other.variable == *variable) {
            return Err(usage(format!("--secret sets {variable:?} twice")));
        }
        if secrets.len() == MOST {
            return Err(usage(format!("--secret may be given {MOST} times at most")));
        }
        let value = read_one(folder, name)?;
        secrets.push(Secret { variable: variable.clone(), name: name.clone(), value });
    }
    Ok(secrets)
}

/// The folder is the operator's, and so are links in it, as a mounted folder of secrets has them.
fn read_one(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let refuse = |reason: &str| {
        let text = format!(
            "the secret {name:?} cannot be had: {reason} (the operator keeps each in a file of that \
             name in {folder:?})"
        );
        Error::Usage(text)
    };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = open(folder, DIRECTORY, Mode::empty())
        .and_then(|folder| openat(folder, name, flags, Mode::empty()))
        .map_err(|errno| refuse(&plain(&errno.into())))?;
    let found = fstat(&file).during("stat", name)?;
    if !FileType::from_raw_mode(found.st_mode).is_file() {
        return Err(refuse("it is not a regular file"));
    }
    let mut value = Vec::new();
    let mut limited = std::fs::File::from(file).take(LIMIT + 1);
    limited.read_to_end(&mut value).during("read", name)?;
    if value.len() as u64 > LIMIT {
        return Err(refuse("it is longer than 64 KiB"));
    }
    // What an editor puts at the end of a file.
    if value.last() == Some(&b'\n') {
        value.pop();
    }
    if value.contains(&0) {
        return Err(refuse("it holds a NUL byte, which no variable can"));
    }
    Ok(value)
}
