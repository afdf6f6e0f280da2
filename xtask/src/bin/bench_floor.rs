//! The bare floor of `cargo xtask bench supervision`: starts its arguments again as soon as they end,
//! by nothing but posix_spawn and waitpid.

use std::process::Command;

fn main() -> std::io::Result<()> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let Some((program, rest)) = arguments.split_first() else { return Ok(()) };
    let mut command = Command::new(program);
    command.args(rest);
    loop {
        command.spawn()?.wait()?;
    }
}
