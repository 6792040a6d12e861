"""The screens: home, new run, run, agent, and small dialogs. They read runs and send commands."""
