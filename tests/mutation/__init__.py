"""Mutation testing of the rules: does a scenario or test notice when a threshold or a comparator changes?"""
