"""The posters of the demo concerts, which the project draws itself from plain shapes."""
