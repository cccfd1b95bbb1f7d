const __WB_VERDICTS: wb_stdlib::__private::Verdicts = wb_stdlib::__private::Verdicts::NONE;

mod nothing_said {
    use wb_stdlib::prelude::*;

    #[baseline(role = "web")]
    fn nothing_said(_host: &Host) -> Result<()> {
        Ok(())
    }
}

mod no_range {
    use wb_stdlib::prelude::*;

    #[baseline(role = "web", replace = "a1b2c3d..9f8e7d6", replaces = "install_nginx")]
    fn no_range(_host: &Host) -> Result<()> {
        Ok(())
    }
}

mod no_host {
    use wb_stdlib::prelude::*;

    #[baseline(role = "web", replaces = "a1b2c3d..9f8e7d6")]
    fn no_host() -> Result<()> {
        Ok(())
    }
}

fn main() {}
