//! `taffrail config`: checks a configuration file, prints the default one.

use clap::Parser as _;

use crate::cli::{Cli, Command, ConfigArgs, ConfigVerb};
use crate::config::Config;
use crate::exit::Failure;
use crate::file;

/// What to say.
pub(crate) fn run(args: &ConfigArgs) -> Result<String, Failure> {
    match &args.verb {
        ConfigVerb::PrintDefault => Ok(file::DEFAULT.to_owned()),
        ConfigVerb::Check { file } => {
            for own in file::said(file).map_err(Failure::config)?.servers() {
                let words = ["taffrail".to_owned(), "serve".to_owned()].into_iter().chain(own);
                let cli = Cli::try_parse_from(words)
                    .map_err(|error| Failure::config(error.to_string()))?;
                if let Command::Serve(args) = cli.command {
                    Config::from_serve(*args).map_err(Failure::config)?;
                }
            }
            Ok(format!("{}: nothing wrong", file.display()))
        }
    }
}
