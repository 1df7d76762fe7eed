"""Ask people which of two films follows its sound better, without their knowing whose films they are."""
