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

    #[migration(rol = "web", role = "web", role = "database", wait = some("database"))]
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

mod no_time {
    use wb_stdlib::prelude::*;

    #[migration(role = "web", timeout = "0s")]
    fn no_time(_host: &Host) -> Result<()> {
        Ok(())
    }
}

mod keeps_unamended {
    use wb_stdlib::prelude::*;

    #[migration(role = "web", timeout = "10m", keeps = ["initdb"])]
    fn keeps_unamended(_host: &Host) -> Result<()> {
        Ok(())
    }
}

mod keeps_twice {
    use wb_stdlib::prelude::*;

    #[migration(role = "web", amended = "why", keeps = ["initdb", "", "initdb"])]
    fn keeps_twice(_host: &Host) -> Result<()> {
        Ok(())
    }
}

mod keeps_no_list {
    use wb_stdlib::prelude::*;

    #[migration(role = "web", amended = "why", keeps = "initdb")]
    fn keeps_no_list(_host: &Host) -> Result<()> {
        Ok(())
    }
}

mod for_nobody {
    use wb_stdlib::prelude::*;

    #[migration(role = "web", wait = count("database", 0, reached("install_postgres")), on_catchup = skip)]
    fn for_nobody(_host: &Host) -> Result<()> {
        Ok(())
    }
}

mod for_how_many {
    use wb_stdlib::prelude::*;

    #[migration(role = "web", wait = count("database"), overdue = "soon", rolling = no)]
    fn for_how_many(_host: &Host) -> Result<()> {
        Ok(())
    }
}

mod any_two {
    use wb_stdlib::prelude::*;

    #[migration(role = "web", wait = any("database", 2))]
    fn any_two(_host: &Host) -> Result<()> {
        Ok(())
    }
}

mod not_reached {
    use wb_stdlib::prelude::*;

    #[migration(role = "web", wait = all("database", reach("install_postgres")))]
    fn not_reached(_host: &Host) -> Result<()> {
        Ok(())
    }
}

mod without_a_wait {
    use wb_stdlib::prelude::*;

    #[migration(role = "web", on_catchup = pass, overdue = "30m")]
    fn without_a_wait(_host: &Host) -> Result<()> {
        Ok(())
    }
}

mod sound_waits {
    use wb_stdlib::prelude::*;

    #[migration(role = "web", wait = count("web", 2, reached("page")), on_catchup = pass, overdue = "30m", rolling = false)]
    fn sound_waits(_host: &Host) -> Result<()> {
        Ok(())
    }
}

mod sound {
    use wb_stdlib::prelude::*;

    #[migration(role = "web", timeout = "10m", amended = "why", keeps = ["initdb", "password"], rerun = "it restarts")]
    fn sound(_host: &Host) -> Result<()> {
        Ok(())
    }
}

mod without_a_reason {
    use wb_stdlib::prelude::*;

    #[migration(role = "web", rerun = " ")]
    fn without_a_reason(_host: &Host) -> Result<()> {
        Ok(())
    }
}

fn main() {}
