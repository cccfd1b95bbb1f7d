impl Role for Database {
    fn leave(host: &Host) -> Result<()> {
        write_down(host, "leave")
    }

    fn rejoin(host: &Host) -> Result<()> {
        write_down(host, "rejoin")
    }
}

fn write_down(host: &Host, word: &str) -> Result<()> {
    host.shell(&format!("echo {word} >>/srv/diary")).run()?;
    Ok(())
}
