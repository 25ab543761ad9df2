"""Eight tasks of long chains and one reward, a stand-in for DM-HARD-8."""
