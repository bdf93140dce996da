//! What the commands print. If nobody reads it any more, as in `hufu try | head -5`, the program ends quietly, with
//! the exit code that a shell reports for Unix tools in that case.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};

/// 128 and the number of SIGPIPE.
const OUTPUT_CLOSED: i32 = 141;

/// Standard output.
pub(crate) struct Output;

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        unless_closed(io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        unless_closed(io::stdout().flush())
    }
}

fn unless_closed<T>(result: io::Result<T>) -> io::Result<T> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(OUTPUT_CLOSED),
        result => result,
    }
}

/// Prints a line to standard output.
pub(crate) fn print_line(line: &Arguments<'_>) {
    // In one piece, so that lines of several threads do not mix.
    if let Err(error) = Output.write_all(format!("{line}\n").as_bytes()) {
        print_error(&format_args!("hufu: cannot write to standard output: {error}\n"));
        std::process::exit(1);
    }
}

/// Prints text to standard error. There is nobody to tell if that fails.
pub(crate) fn print_error(text: &Arguments<'_>) {
    let _ = io::stderr().write_all(text.to_string().as_bytes());
}

/// Prints a line to standard output.
macro_rules! say {
    ($($argument:tt)*) => { $crate::output::print_line(&format_args!($($argument)*)) };
}
pub(crate) use say;
