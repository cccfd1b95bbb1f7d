const __WB_VERDICTS: wb_stdlib::__private::Verdicts = wb_stdlib::__private::Verdicts::NONE;

mod without_a_role {
    use wb_stdlib::prelude::*;

    #[migration]
    fn without_a_role(_host: &Host) -> Result<()> {
        Ok(())
    }
}

mod misspelt {
    use wb_stdlib::prelude::*;

    #[migration(rol = "web", role = "web", role = "database", wait = any("database"))]
    fn misspelt(_host: &Host) -> Result<()> {
        Ok(())
    }
}

mod no_string {
    use wb_stdlib::prelude::*;

    #[migration(role = web)]
    fn no_string(_host: &Host) -> Result<()> {
        Ok(())
    }
}

fn main() {}
