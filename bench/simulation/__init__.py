"""`make simulate`: whole sales under a clock that runs ahead, and how true what people were told turned out to be."""
