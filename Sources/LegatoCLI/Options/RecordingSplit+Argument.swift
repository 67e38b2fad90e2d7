import ArgumentParser
import LegatoTraining

extension RecordingList.Split: ExpressibleByArgument {}
