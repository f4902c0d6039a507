//! Times starts of commands: from spawn to the end of the process.
//!
//! usage: spawn-timer ROUNDS NAME COMMAND… --- [NAME COMMAND… ---]…
//!
//! The commands take turns, so that noise of the machine hits all alike.
//! Prints JSON: name → median and 99th percentile in microseconds.

use std::ffi::OsString;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

struct Timed {
    name: String,
    command: Command,
    microseconds: Vec<u128>,
}

fn parse(mut arguments: impl Iterator<Item = OsString>) -> Option<(usize, Vec<Timed>)> {
    let rounds = arguments.next()?.to_str()?.parse().ok()?;
    let mut commands = Vec::new();
    while let Some(name) = arguments.next() {
        let mut command = Command::new(arguments.next()?);
        for argument in arguments.by_ref().take_while(|argument| argument != "---") {
            command.arg(argument);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        commands.push(Timed {
            name: name.into_string().ok()?,
            command,
            microseconds: Vec::with_capacity(rounds),
        });
    }
    Some((rounds, commands))
}

fn main() -> ExitCode {
    let Some((rounds, mut commands)) = parse(std::env::args_os().skip(1)) else {
        eprintln!("usage: spawn-timer ROUNDS NAME COMMAND… ---");
        return ExitCode::from(2);
    };
    for _ in 0..rounds {
        for timed in &mut commands {
            let start = Instant::now();
            match timed.command.status() {
                Ok(status) if status.success() => {}
                outcome => {
                    eprintln!("spawn-timer: {}: {outcome:?}", timed.name);
                    return ExitCode::FAILURE;
                }
            }
            timed.microseconds.push(start.elapsed().as_micros());
        }
    }
    let figures: Vec<String> = commands
        .iter_mut()
        .map(|timed| {
            timed.microseconds.sort_unstable();
            let at = |share: usize| timed.microseconds[(rounds - 1) * share / 100];
            format!("\"{}\":{{\"median\":{},\"p99\":{}}}", timed.name, at(50), at(99))
        })
        .collect();
    println!("{{{}}}", figures.join(","));
    ExitCode::SUCCESS
}
